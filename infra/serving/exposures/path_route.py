"""What the kinds `ingress` and `gateway` share: a path that is stripped before the model's URLs.

Both have the same keys, so that changing `kind` moves a model from one to the other.
"""

from typing import Annotated

from msgspec import Meta

from gkeplatform.routes import ANY_HOST, public_path
from infra.serving.exposures.base import ExposureSettings, Server
from infra.serving.exposures.retries import Seconds
from infra.serving.exposures.settings import RouteSettings
from infra.serving.patterns import Host, Path, duplicate

PENDING = "not assigned yet"
"""Published in place of a URL until the controller has assigned an address."""


class PathRoute(ExposureSettings):
    """A path before the model's own URLs. The route strips it and passes the rest on."""

    path: Annotated[Path, Meta(description="Path before the model's own URLs, as `/model`.")]
    hosts: Annotated[
        tuple[Host, ...], Meta(description="Host names it answers on. Empty: every host.")
    ] = ()
    timeout_seconds: Annotated[
        Seconds | None,
        Meta(description="Timeout of a response. Default: as for all models of this kind."),
    ] = None

    def __post_init__(self) -> None:
        if twice := duplicate(self.hosts):
            raise ValueError(f"hosts lists {twice} twice; once is enough")

    @property
    def server_path(self) -> str:
        """The path on the server that `path` leads to."""
        return "/"

    @property
    def route_keys(self) -> tuple[tuple[str, str, str], ...]:
        """Of two routes with the same path, the controller would choose one."""
        return tuple((self.kind, self.path, host) for host in self.hosts or (ANY_HOST,))

    def is_encrypted(self, routes: RouteSettings) -> bool:
        """Whether the route serves HTTPS."""
        raise NotImplementedError

    def url(self, server: Server, address: str | None, routes: RouteSettings) -> str | None:
        """The first host or the address, with the path; `PENDING` without an address."""
        if not address:
            return PENDING
        scheme = "https" if self.is_encrypted(routes) else "http"
        path = public_path(server.path, (self.path,), {self.path: self.server_path}) or self.path
        return f"{scheme}://{(*self.hosts, address)[0]}{path}"
