"""Where the front ends of a rehearsed environment are reached on this machine.

Their addresses are of the rehearsed project, and nobody can connect to them: each has a port of
127.0.0.1 in its place.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from cli.errors import CliError
from sandbox.home import Home
from sandbox.traffic.dial_plan import DialPlan


class FrontEnd(msgspec.Struct, frozen=True, kw_only=True):
    """An address and port of a rehearsed project, and the port of 127.0.0.1 in its place."""

    project: str
    address: str
    port: int
    scheme: str
    listens: int
    kind: str = ""
    name: str = ""
    caller: str = ""
    hosts: tuple[str, ...] = ()


class FrontEnds:
    """Those of one project, and the certificate authority that they use."""

    def __init__(self, home: Path, project: str) -> None:
        """Read what the sandbox in `home` wrote. Raises CliError where it cannot be read."""
        files = Home(home)
        self._project = project
        self.cacert = str(files.traffic / "ca.pem")
        try:
            self._pods = DialPlan.read(files.dial_plan)
            read = (files.traffic / "frontends.json").read_bytes()
            found = msgspec.json.decode(read, type=list[FrontEnd])
        except FileNotFoundError:
            found = []
        except (OSError, msgspec.MsgspecError) as error:
            raise CliError(f"the sandbox's front ends cannot be read: {error}") from None
        self._known = [one for one in found if one.project == project]

    def pod(self, namespace: str, name: str, port: int) -> int | None:
        """The port of 127.0.0.1 of a ready pod of a model, of a group its leader; None without any.

        What a Service inside the cluster would choose, which nobody outside can connect to.
        """
        pods = re.compile(rf"{re.escape(name)}-(\d+|[a-z0-9]+-[a-z0-9]{{5}})")
        for one in self._pods.listeners:
            place = (one.project, one.namespace, one.port)
            if place == (self._project, namespace, port) and pods.fullmatch(one.pod):
                return one.listens
        return None

    def at(self, address: str, port: int) -> FrontEnd:
        """The front end of an address and port. Raises CliError."""
        for one in self._known:
            if (one.address, one.port) == (address, port):
                return one
        raise self._none(f"{address}:{port}")

    def other(self, address: str, port: int, host: str) -> int:
        """The port of the load balancer for `host` that is not at `address`: a Gateway's."""
        others = [
            one
            for one in self._known
            if one.kind == "load-balancer" and one.address != address and one.port == port
        ]
        # The Gateway and the Inference Gateway may both be there.
        for one in sorted(others, key=lambda one: host not in one.hosts):
            if not one.hosts or not {host, "*"}.isdisjoint(one.hosts):
                return one.listens
        raise self._none(f"port {port} of the Gateway for {host}")

    def _none(self, what: str) -> CliError:
        known = ", ".join(f"{one.address}:{one.port}" for one in self._known) or "none"
        return CliError(
            f"nothing answers for {what} in the sandbox",
            f"front ends: {known}; `./platformctl sandbox status` shows them",
        )
