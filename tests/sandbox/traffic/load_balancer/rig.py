"""A running Envoy, configured from an emulated project. Not a test."""

from __future__ import annotations

import itertools
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec

from facts.front_ends import FRONT_END_RANGES
from sandbox.gcp.store import Json
from sandbox.traffic.dial_plan import DialPlan, Listener
from sandbox.traffic.load_balancer import files
from sandbox.traffic.load_balancer.configuration import ARGUMENTS, Configuration, configure
from sandbox.traffic.load_balancer.surroundings import Surroundings
from tests.sandbox.traffic.load_balancer.echo_servers import EchoServers
from tests.sandbox.traffic.load_balancer.static import BINARY

SERVERS = 4
ZONE = "europe-west4-a"
PREFIX = "https://www.googleapis.com/compute/v1/projects/p/"
_PATIENCE = 60.0
_OPTIONS = (*ARGUMENTS, "-l", "warning")


FRONT_ENDS: Json = {
    "network": f"{PREFIX}global/networks/default",
    "sourceRanges": list(FRONT_END_RANGES),
    "allowed": [{"IPProtocol": "tcp"}],
}
"""A firewall rule of the default network that lets the load balancer in."""


def link(path: str) -> str:
    return PREFIX + path


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Rig:
    """Envoy, its backends, and the emulated documents that it is configured from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.echo = EchoServers(SERVERS)
        self.documents: dict[str, Json] = {}
        self.put("global/firewalls/front-ends", FRONT_ENDS)
        self.http, self.https = free_port(), free_port()
        plan = DialPlan(
            Listener(
                project="p", cluster="c", namespace="n", pod=f"pod-{i}", node="node", zone=ZONE,
                address=f"10.64.1.{i}", port=8501, listens=self.echo.ports[i],
            )
            for i in range(SERVERS)
        )  # fmt: skip
        self.surroundings = Surroundings(
            folder=folder,
            frontends={rule("http"): self.http, rule("https"): self.https},
            dial_plan=plan,
            access_log=folder / "access.log",
        )
        self.client = httpx.Client(timeout=60)
        self._versions = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "envoy.log"

    def put(self, path: str, document: Json) -> None:
        """A compute resource of the project `p`."""
        self.documents[f"compute/projects/p/{path}"] = {"name": path.rpartition("/")[2], **document}

    def service(self, name: str, *servers: int, **fields: Any) -> str:
        """A backend service with one endpoint group of some servers; its link."""
        group = f"zones/{ZONE}/networkEndpointGroups/{name}"
        self.put(group, {"networkEndpointType": "GCE_VM_IP_PORT"})
        prefix = f"compute-endpoints/projects/p/{group}"
        for key in [one for one in self.documents if one.startswith(f"{prefix}/")]:
            del self.documents[key]
        for server in servers:
            address = f"10.64.1.{server}"
            self.documents[f"{prefix}/{address}_8501_node"] = {
                "ipAddress": address, "port": 8501, "instance": "node",
            }  # fmt: skip
        backend = {"group": link(group), "balancingMode": "RATE", "maxRatePerEndpoint": 100}
        self.put(
            f"global/backendServices/{name}",
            {"protocol": "HTTP", "loadBalancingScheme": "EXTERNAL_MANAGED", "timeoutSec": 30}
            | {"backends": [{**backend, "capacityScaler": 1.0}]}
            | fields,
        )
        return link(f"global/backendServices/{name}")

    def url_map(self, **fields: Any) -> Configuration:
        """Put the URL map in force at the HTTP address, and wait until it is."""
        version = str(next(self._versions))
        action = dict(fields.pop("headerAction", {}))
        marker = {"headerName": "x-version", "headerValue": version, "replace": True}
        action["responseHeadersToAdd"] = [*action.get("responseHeadersToAdd", []), marker]
        self.put("global/urlMaps/main", {**fields, "headerAction": action})
        self.put("global/targetHttpProxies/main", {"urlMap": link("global/urlMaps/main")})
        self.put(
            "global/forwardingRules/http",
            {"target": link("global/targetHttpProxies/main"), "IPAddress": "192.0.2.1"},
        )
        configuration = self.apply()
        self._wait(lambda: self._version(version) == version)
        return configuration

    def _version(self, version: str) -> str:
        answer = self.get(f"/?version={version}", host="nobody.example")
        return str(answer.headers.get("x-version"))

    def apply(self, **changes: Any) -> Configuration:
        """Write the configuration of the documents as they are."""
        self.surroundings = replace(self.surroundings, **changes)
        configuration = configure(self.documents, self.surroundings)
        files.write(self.folder, configuration.files)
        if self._process is None:
            self._start(configuration)
        return configuration

    def _start(self, configuration: Configuration) -> None:
        path = self.folder / "bootstrap.json"
        path.write_bytes(msgspec.json.encode(configuration.bootstrap))
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [BINARY, "-c", path, *_OPTIONS],
                stdout=log,
                stderr=log,
            )  # fmt: skip

    def _wait(self, is_true: Any) -> None:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            try:
                if is_true():
                    return
            except httpx.TransportError:
                pass
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            time.sleep(0.01)
        raise AssertionError(f"The configuration is not in force.\n{self.log.read_text()[-3000:]}")

    def until(self, is_true: Any) -> None:
        self._wait(is_true)

    def get(self, path: str, *, host: str = "a.example", **kwargs: Any) -> httpx.Response:
        return self.send("GET", path, host=host, **kwargs)

    def send(
        self, verb: str, path: str, *, host: str = "a.example", headers: Any = None, **kwargs: Any
    ) -> httpx.Response:
        found = [("host", host), *(headers or {}).items()]
        url = f"http://127.0.0.1:{self.http}{path}"
        return self.client.request(verb, url, headers=found, **kwargs)

    def close(self) -> None:
        self.client.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
        self.echo.close()


def rule(name: str) -> str:
    return f"compute/projects/p/global/forwardingRules/{name}"
