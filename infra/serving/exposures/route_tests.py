"""Settings: tests of a model's route, which are part of its entry.

`infra/planned_routes.py` runs them on every reading of the stack file, and Google runs those of its
URL map before it accepts the map.
"""

from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from gkeplatform.config import Settings
from gkeplatform.contracts import RouteTest
from infra.serving.patterns import Name

# No quotation mark: the reader of the stack file quotes the pattern.
_PATH = r"(/[A-Za-z0-9._~:@!$&()+,;=%-]*)+"
_HOST = r"[A-Za-z0-9][A-Za-z0-9.-]*"


def _url(value: object) -> str:
    return (
        f'"{value}" is neither a URL, as https://models.acme.example/v1/models/m is, nor a path, '
        "as /v1/models/m is; leave out the query: no rule looks at it"
    )


Url = Annotated[str, Meta(pattern=rf"^(https?://{_HOST})?{_PATH}$", extra={"explain": _url})]
"""A URL without query, or its path."""
Location = Annotated[str, Meta(pattern=rf"^https?://{_HOST}{_PATH}$", extra={"explain": _url})]


class ExpectedRoute(Settings):
    """Where a tested request must go: exactly one of model, static_files and redirect."""

    model: Annotated[Name | None, Meta(description="The model that gets the request.")] = None
    path: Annotated[
        Annotated[str, Meta(pattern=rf"^{_PATH}$")] | None,
        Meta(description="The path that its server gets. Default: any."),
    ] = None
    static_files: Annotated[
        bool, Meta(description="No model gets the request: it is one for the bucket.")
    ] = False
    redirect: Annotated[
        Location | None, Meta(description="The URL that the caller is redirected to.")
    ] = None

    def __post_init__(self) -> None:
        given = [self.model is not None, self.static_files, self.redirect is not None]
        if sum(given) != 1:
            raise ValueError(
                "set exactly one of model, static_files: true and redirect, whichever the "
                "request must reach"
            )
        if self.path is not None and self.model is None:
            raise ValueError("path is what a model's server gets; set model, or remove path")


class RouteTestArgs(Settings):
    """A request, and where the load balancer must send it."""

    url: Annotated[
        Url,
        Meta(description="URL of the request; a path alone is asked on the model's first host."),
    ]
    expect: Annotated[ExpectedRoute, Meta(description="Where the request must go.")]

    @property
    def scheme(self) -> str:
        """`http` or `https`; empty for the one that callers use."""
        return urlsplit(self.url).scheme

    def host(self, hosts: tuple[str, ...]) -> str:
        """The host that is asked; empty for any. `hosts` are the model's."""
        return (urlsplit(self.url).netloc or (*hosts, "")[0]).lower()

    @property
    def path(self) -> str:
        """The path that is asked."""
        return urlsplit(self.url).path

    def published(self, hosts: tuple[str, ...]) -> RouteTest | None:
        """The test for the URL map; None for a redirect, which is not in that map."""
        if self.expect.redirect is not None:
            return None
        return RouteTest(
            host=self.host(hosts),
            path=self.path,
            model=self.expect.model,
            forwarded=self.expect.path,
        )
