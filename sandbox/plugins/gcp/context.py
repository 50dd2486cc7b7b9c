"""One operation on one resource: the resource's location, and its requests."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sandbox.plugins.gcp.config import Config
from sandbox.plugins.gcp.failures import ApiFailure
from sandbox.plugins.provider import PluginError

if TYPE_CHECKING:
    from sandbox.plugins.gcp.client import Client

_SLOT = re.compile(r"\{(\w+)\}")
_HOST = re.compile(r"^https?://[^/]+/(?:compute/[^/]+/|v\d[^/]*/|container/v\d[^/]*/|storage/v1/)?")
LINK_BASES = {
    "compute": "https://www.googleapis.com/compute/v1/",
    "container": "https://container.googleapis.com/v1/",
}
CONFLICTS = (409, 412)


def slots(template: str) -> tuple[str, ...]:
    """The names of a template's slots."""
    return tuple(_SLOT.findall(template))


def _pattern(template: str, last: str) -> str:
    """The template as a regular expression; only its last slot may match slashes."""
    pattern = re.sub(r"[.?+*]", r"\\\g<0>", template)
    for slot in slots(template):
        pattern = pattern.replace(f"{{{slot}}}", f"(?P<{slot}>{'.+' if slot == last else '[^/]+'})")
    return pattern


class Context:
    """The values in a resource's path (`values`: project, region, name, …) and its client."""

    def __init__(self, client: Client, timeout: float = 0) -> None:
        self.client = client
        self.timeout = timeout
        self.values: dict[str, Any] = {}
        self.service = ""
        self.subject = ""
        self.started = False  # a create request has been accepted

    @property
    def config(self) -> Config:
        """The provider's settings."""
        return self.client.config

    @property
    def is_cancelled(self) -> bool:
        """Whether the engine has asked to stop."""
        return self.client.cancelled.is_set()

    @property
    def deletion_policy(self) -> str:
        """The default deletionPolicy."""
        return self.config.setting("deletionPolicy") or "DELETE"

    def fail(self, message: str) -> None:
        """Raise PluginError."""
        raise PluginError(message)

    # Paths

    def place(self, fields: Mapping[str, Any]) -> None:
        """Fill project, region, zone and location from the provider's settings."""
        values = self.values
        for name in ("region", "zone", "location", "project"):
            if isinstance(values.get(name), str) and name in fields:
                values[name] = (
                    values[name].rpartition("/")[2] if name != "project" else values[name]
                )
        for name in ("project", "zone", "region"):
            if not values.get(name):
                values[name] = self.config.setting(name)
        if "zone" in fields and values["zone"] and "region" not in fields:
            values["region"] = values["zone"].rpartition("-")[0]
        if "location" in fields and not values.get("location"):
            values["location"] = self.config.setting("region") or self.config.setting("zone")

    def fill(self, template: str) -> str:
        """A path with its slots filled."""

        def value(match: re.Match[str]) -> str:
            found = self.values.get(match.group(1))
            if found in (None, ""):
                name = match.group(1)
                hint = f"; set it, or `pulumi config set gcp:{name} …`"
                is_place = name in ("project", "region", "zone", "location")
                raise PluginError(f"{self.subject}: {name} is not set{hint if is_place else ''}")
            return str(found)

        return _SLOT.sub(value, template)

    def expand(self, value: str, template: str) -> str:
        """A bare name as a path; paths and addresses are returned unchanged."""
        return value if "/" in value else self.fill(template.replace("{}", value))

    def link(self, path: str) -> str:
        """The self link of a path."""
        return f"{LINK_BASES[self.service]}{path}"

    def from_link(self, name: str, link: Any) -> None:
        """Set project and location from a resource's link; `name` becomes its last part."""
        if not isinstance(link, str) or "/" not in link:
            return
        parts = _HOST.sub("", link).split("/")
        places = {"projects": "project", "zones": "zone", "regions": "region"}
        for kind, value in pairwise(parts):
            if kind in places:
                self.values[places[kind]] = value
        self.values[name] = parts[-1]

    def parse(self, id_: str, template: str, others: tuple[str, ...] = ()) -> dict[str, str]:
        """The values in an id: a full id, a link, or a shorter form."""
        plain = _HOST.sub("", id_)
        names = slots(template)
        short = ["/".join(f"{{{name}}}" for name in names[at:]) for at in range(len(names))]
        for form in (template, *others, *short):
            last = slots(form)[-1]
            pattern = _pattern(form, last)
            found = re.fullmatch(pattern, plain)
            if found and ("/" not in found[last] or form in (template, *others)):
                return found.groupdict()
        raise PluginError(f"the id {id_!r} does not have the form {template}")

    # Requests

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        service: str = "",
    ) -> dict[str, Any]:
        """Send a request to the resource's service; wait for the operation that it starts."""
        service = service or self.service
        answer = self.client.request(service, method, path, body, params)
        self.started = self.started or method == "POST"
        parent = ""
        if service == "container" and "operationType" in answer:
            parent = self.fill("projects/{project}/locations/{location}")
        return self.client.wait(service, answer, timeout=self.timeout, parent=parent)

    def get(
        self, path: str, params: Mapping[str, Any] | None = None, service: str = ""
    ) -> dict[str, Any]:
        """Send a GET. Raises ApiFailure 404."""
        return self.client.request(service or self.service, "GET", path, params=params)

    def find(
        self, path: str, params: Mapping[str, Any] | None = None, service: str = ""
    ) -> dict[str, Any] | None:
        """Send a GET; None for 404."""
        try:
            return self.get(path, params, service)
        except ApiFailure as failure:
            if failure.code == 404:
                return None
            raise

    def exclusively(self, name: str, attempt: Callable[[], None], tries: int = 10) -> None:
        """Run a read-modify-write of a shared resource; retried on a conflict."""
        with self.client.lock(name):
            for number in range(tries):
                try:
                    return attempt()
                except ApiFailure as failure:
                    if failure.code not in CONFLICTS or number == tries - 1:
                        raise
                self.client.sleep(min(0.1 * 2**number, 5.0))
        return None
