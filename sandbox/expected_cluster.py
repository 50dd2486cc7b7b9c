"""Tells the running sandbox which cluster a deployment will create, so that it boots at once."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.home import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCluster:
    """A GKE cluster, and what its control plane depends on."""

    project: str
    location: str
    name: str
    service_cidr: str


@contextlib.contextmanager
def expected(home: Home, cluster: ExpectedCluster | None) -> Iterator[None]:
    """Boot the cluster's control plane; at the end, stop it if nothing created the cluster.

    It only saves time: without it, or with another cluster's values, the control plane boots when
    the cluster is created. So a sandbox that does not answer is no error here.
    """
    if cluster is None:
        yield
        return
    _send(
        home,
        "PUT",
        {
            "project": cluster.project,
            "location": cluster.location,
            "name": cluster.name,
            "serviceCidr": cluster.service_cidr,
        },
    )
    try:
        yield
    finally:
        _send(home, "DELETE", {})


def _send(home: Home, verb: str, body: dict[str, Any]) -> None:
    with contextlib.suppress(OSError, ValueError, KeyError, http.client.HTTPException):
        port = int(json.loads(home.record.read_text())["port"])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        with contextlib.closing(connection):
            connection.request(verb, "/sandbox/v1/expected-cluster", json.dumps(body))
            connection.getresponse().read()
