"""The addresses on which a sandbox's processes listen. Not a test.

KEDA's adapter is left out where it was downloaded: only what is built has our edit of its address.
"""

from __future__ import annotations

import ipaddress
import re

import psutil

from tests.rehearsal.workspace import Workspace, command_line

_DOWNLOADED = re.compile(r"-download-\w+/bin/keda-adapter\b")


def listening(workspace: Workspace) -> set[tuple[str, str]]:
    """Name and address of each process that listens."""
    return {
        (process.name(), one.laddr.ip)
        for process in workspace.processes()
        if not _DOWNLOADED.search(command_line(process))
        for one in process.net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    }


def beyond_loopback(found: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those that others than this machine can reach."""
    return sorted(one for one in found if not ipaddress.ip_address(one[1]).is_loopback)
