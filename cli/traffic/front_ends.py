"""Where the front ends of a rehearsed environment are reached on this machine.

Their addresses are of the rehearsed project, and nobody can connect to them: each has a port of
127.0.0.1 in its place.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from cli.errors import CliError


class FrontEnd(msgspec.Struct, frozen=True, kw_only=True):
    """An address and port of a rehearsed project, and the port of 127.0.0.1 in its place."""

    project: str
    address: str
    port: int
    scheme: str
    listens: int
    kind: str = ""
    name: str = ""


class FrontEnds:
    """Those of one project, and the certificate authority that they use."""

    def __init__(self, home: Path, project: str) -> None:
        """Read what the sandbox in `home` wrote. Raises CliError where it cannot be read."""
        traffic = home / "traffic"
        self.cacert = str(traffic / "ca.pem")
        try:
            read = (traffic / "frontends.json").read_bytes()
            found = msgspec.json.decode(read, type=list[FrontEnd])
        except FileNotFoundError:
            found = []
        except (OSError, msgspec.MsgspecError) as error:
            raise CliError(f"the sandbox's front ends cannot be read: {error}") from None
        self._known = [one for one in found if one.project == project]

    def port(self, address: str, port: int) -> int:
        """The port of 127.0.0.1 in place of an address and port. Raises CliError."""
        for one in self._known:
            if (one.address, one.port) == (address, port):
                return one.listens
        raise self._none(f"{address}:{port}")

    def other(self, address: str, port: int) -> int:
        """The port of the load balancer that is not at `address`: the Gateway's."""
        for one in self._known:
            if one.kind == "load-balancer" and one.address != address and one.port == port:
                return one.listens
        raise self._none(f"port {port} of the Gateway")

    def _none(self, what: str) -> CliError:
        known = ", ".join(f"{one.address}:{one.port}" for one in self._known) or "none"
        return CliError(
            f"nothing answers for {what} in the sandbox",
            f"front ends: {known}; `./platformctl sandbox status` shows them",
        )
