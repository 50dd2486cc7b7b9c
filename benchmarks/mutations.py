"""Changes of managed values behind Pulumi's back, in a cluster and in the emulated Google Cloud.

A mutation is made by the API that owns the value, which refuses what it does not take; what the
resource has afterwards decides whether one was made. Resources are those of a stack's state.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from cli.drift.values import ABSENT, Path, at, moved, written
from cli.drills.cluster import JSON_PATCH, Cluster
from cli.errors import CliError
from sandbox.plugins.gcp.client import Client
from sandbox.plugins.gcp.config import Config
from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.registry import handler_of
from sandbox.plugins.gcp.schema import Field
from sandbox.plugins.provider import PluginError

Json = dict[str, Any]
REMOVED = "removed"
"""Stands for a value that is taken out."""
_SECRET = "4dabf18193072939515e22adb298388d"  # how the engine marks a special value
_IDENTITY = re.compile(r"(apiVersion|kind|metadata\.(name|namespace))$")
_KEPT = frozenset(
    {
        *("Namespace", "CustomResourceDefinition", "PersistentVolumeClaim"),
        *("Cluster", "NodePool", "Network", "Bucket", "KeyRing", "CryptoKey", "Account", "Service"),
    }
)
"""Kinds whose deletion takes others with it, or what nothing brings back."""

_KEYS: Mapping[str, Sequence[str]] = {
    "ports": ("port", "containerPort", "protocol"),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeMounts": ("mountPath",),
}
"""Keys of lists' entries beside the name: `listMapKeys` of Kubernetes' OpenAPI document."""
_ATOMIC = ("NetworkPolicy", "ClusterRoleBinding", "RoleBinding")
"""Kinds whose lists are replaced whole."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One value that was changed, or a resource that was deleted."""

    layer: str
    urn: str
    path: str
    """As the engine writes it; empty for the whole resource."""
    before: Any
    """What the account had."""
    after: Any
    """What it has since; ABSENT where the value or the resource is gone."""


class Subject(Protocol):
    """A resource of which values can be changed."""

    kind: str

    def allowed(self, path: Path) -> Sequence[Any]:
        """The values that an enumeration takes; empty for others."""

    def candidates(self) -> Iterator[tuple[Path, Any]]:
        """Declared values and another value for each, or ABSENT where none can be guessed."""

    def value(self, path: Path) -> Any:
        """What the account has, ABSENT where there is none."""

    def change(self, path: Path, value: Any) -> None:
        """Change a value, or take it out (`REMOVED`). Raises CliError or PluginError."""

    def delete(self) -> None:
        """Delete the resource. Raises CliError or PluginError."""

    def is_there(self) -> bool:
        """Whether the account has the resource."""

    def renew(self, resource: Json) -> None:
        """Go by the state after an update: what was created again may have another id."""


class Resource:
    """A resource of the state, and what was not tried with it yet."""

    def __init__(self, layer: str, urn: str, subject: Subject, pool: Mapping[str, list[Any]]):
        """`pool` has the values of the same property of other resources of the type."""
        self.layer, self.urn, self.subject = layer, urn, subject
        found = list(subject.candidates())
        random.Random(urn).shuffle(found)
        removals = ((path, REMOVED) for path, _ in found)
        self._left = iter([*self._changes(found, pool), *removals])
        self._made: set[Path] = set()

    def mutate(self, number: int) -> Iterator[Mutation]:
        """Change up to `number` values, one after the other, none a second time."""
        for path, value in self._left:
            if number == 0:
                return
            if path in self._made or not (one := self._mutation(path, value)):
                continue
            self._made.add(path)
            number -= 1
            yield one

    def delete(self) -> Mutation | None:
        """Delete the resource; None where the API refuses it, or others would go with it."""
        if self.subject.kind in _KEPT:
            return None
        try:
            self.subject.delete()
        except (CliError, PluginError):
            return None
        return Mutation(self.layer, self.urn, "", None, ABSENT)

    def has(self, mutation: Mutation) -> bool:
        """Whether the account has what it had before the mutation."""
        if not mutation.path:
            return self.subject.is_there()
        path = next(one for one in self._made if written(one) == mutation.path)
        return bool(self.subject.value(path) == mutation.before)

    def _changes(
        self, found: Sequence[tuple[Path, Any]], pool: Mapping[str, list[Any]]
    ) -> Iterator[tuple[Path, Any]]:
        for path, value in found:
            guess = other(path, value)
            if guess is ABSENT:
                known = [*self.subject.allowed(path), *pool.get(plain_path(path), ())]
                others = [one for one in known if one != value]
                guess = others[0] if others else ABSENT
            if guess is not ABSENT:
                yield path, guess

    def _mutation(self, path: Path, value: Any) -> Mutation | None:
        before = self.subject.value(path)
        if before is ABSENT:
            return None
        try:
            self.subject.change(path, value)
        except (CliError, PluginError):
            return None
        after = self.subject.value(path)
        if after == before:
            return None
        return Mutation(self.layer, self.urn, written(path), before, after)


def other(path: Path, value: Any) -> Any:  # noqa: PLR0911  # one a form
    """A sensible other value, ABSENT where there is none to guess."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2
    if not isinstance(value, str) or not value:
        return ABSENT
    if value.startswith("{"):
        return _other_document(json.loads(value))
    if re.fullmatch(r"\d+", value):
        return str(int(value) + 1)
    if re.fullmatch(r"\d+s", value):
        return f"{int(value[:-1]) + 60}s"
    quantity = re.fullmatch(r"(\d+)(m|Mi|Gi|M|G)", value)
    if quantity:
        return f"{int(quantity[1]) + 1}{quantity[2]}"
    if "://" in value or re.fullmatch(r"[A-Z_]+|[\d.]+(/\d+)?", value):
        return ABSENT
    is_label = "labels" in path or "userLabels" in path
    return f"{value}-x" if is_label or re.fullmatch(r"[\w.-]+", value) else f"{value} x"


def _other_document(document: Any) -> Any:
    """The text of a JSON document with one other value."""
    for path, value in leaves(document):
        guess = other(path, value)
        if guess is not ABSENT:
            put(document, path, guess)
            return json.dumps(document)
    return ABSENT


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The scalar values of a document."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if not key.startswith("__"):
                yield from leaves(one, (*path, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from leaves(one, (*path, index))
    else:
        yield path, value


def plain_path(path: Path) -> str:
    """The path without indexes."""
    return ".".join(step for step in path if isinstance(step, str))


def resources(layer: str, export: Json, cluster: Cluster) -> list[Resource]:
    """The resources of a stack export (with plain secrets) that the two APIs own."""
    found = [revealed(one) for one in export["deployment"]["resources"] if one.get("custom")]
    providers = {one["urn"]: Client(Config.of(one["inputs"])) for one in found if _is_google(one)}
    pools: dict[str, dict[str, list[Any]]] = {}
    for one in found:
        pool = pools.setdefault(one["type"], {})
        for path, value in leaves(one.get("inputs") or {}):
            pool.setdefault(plain_path(path), []).append(value)
    return [
        Resource(layer, one["urn"], subject, pools[one["type"]])
        for one in found
        if not one.get("external") and (subject := _subject(one, cluster, providers))
    ]


def _is_google(resource: Json) -> bool:
    return str(resource["type"]) == "pulumi:providers:gcp"


def revealed(value: Any) -> Any:
    """A value of the state with its secrets as they are."""
    if isinstance(value, Mapping):
        if _SECRET in value and "plaintext" in value:
            return json.loads(value["plaintext"])
        return {key: revealed(one) for key, one in value.items()}
    return [revealed(one) for one in value] if isinstance(value, list) else value


def _subject(resource: Json, cluster: Cluster, providers: Mapping[str, Client]) -> Subject | None:
    token = resource["type"]
    if token.startswith("kubernetes:"):
        return Object(resource["inputs"], cluster)
    handler = handler_of(token) if token.startswith("gcp:") else None
    client = providers.get(str(resource.get("provider")).rpartition("::")[0])
    return GoogleResource(handler, resource, client) if handler and client else None


# Kubernetes


class Object:
    """A Kubernetes object."""

    def __init__(self, inputs: Json, cluster: Cluster) -> None:
        """`inputs` is the declared object."""
        self.kind = str(inputs["kind"])
        self._inputs, self._cluster = inputs, cluster

    @staticmethod
    def allowed(_path: Path) -> Sequence[Any]:
        """The API server tells no values."""
        return ()

    def candidates(self) -> Iterator[tuple[Path, Any]]:
        """All declared values but those that identify it."""
        for path, value in leaves(self._inputs):
            if not _IDENTITY.fullmatch(written(path)) and not _names_an_entry(self._inputs, path):
                yield path, value

    def value(self, path: Path) -> Any:
        """What the API server has at the path."""
        live = self._live()
        place = moved(self._inputs, live, path)
        return ABSENT if place is None else at(live, place)

    def change(self, path: Path, value: Any) -> None:
        """Patch one value."""
        place = moved(self._inputs, self._live(), path) or path
        operation = {"op": "replace", "path": _pointer(place), "value": value}
        if value is REMOVED:
            operation = {"op": "remove", "path": _pointer(place)}
        self._cluster.patch(self._path(), [operation], JSON_PATCH)

    def delete(self) -> None:
        """Delete the object."""
        self._cluster.delete(self._path())

    def renew(self, resource: Json) -> None:
        """Nothing: an object that is created again has its name."""

    def is_there(self) -> bool:
        """Whether the API server has it."""
        return self._cluster.get(self._path()) is not None

    def _live(self) -> Json:
        return self._cluster.get(self._path()) or {}

    def _path(self) -> str:
        version, metadata = self._inputs["apiVersion"], self._inputs["metadata"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        collection, is_namespaced = _collections(self._cluster, base)[self.kind]
        place = f"/namespaces/{metadata.get('namespace', 'default')}" if is_namespaced else ""
        return f"{base}{place}/{collection}/{metadata['name']}"


def _names_an_entry(inputs: Json, path: Path) -> bool:
    """Whether server-side apply finds a list's entry by the value: another one is another entry."""
    if len(path) < 3 or not isinstance(at(inputs, path[:-2]), list):
        return False
    return path[-1] in ("name", *_KEYS.get(str(path[-3]), ())) and inputs["kind"] not in _ATOMIC


@cache
def _collections(cluster: Cluster, base: str) -> dict[str, tuple[str, bool]]:
    found = cluster.get(base) or {"resources": []}
    return {
        one["kind"]: (one["name"], one["namespaced"])
        for one in found["resources"]
        if "/" not in one["name"]
    }


def _pointer(path: Path) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


# Google Cloud


class GoogleResource:
    """A resource of the emulated Google Cloud, changed by the requests that its provider sends."""

    def __init__(self, handler: Handler, resource: Json, client: Client) -> None:
        """A resource of the state, and the client of its provider."""
        self.kind = resource["type"].rpartition(":")[2]
        self._handler, self._client, self._id = handler, client, resource["id"]
        self._inputs: Json = resource["inputs"]
        self._state: Json = resource["outputs"]

    def allowed(self, path: Path) -> Sequence[Any]:
        """The values that the provider's schema lists."""
        field = self._field(path)
        return field.values if field else ()

    def candidates(self) -> Iterator[tuple[Path, Any]]:
        """All declared values that the API can change in place."""
        for path, value in leaves(self._inputs):
            field = self._handler.fields.get(str(path[0]))
            if field and field.is_remote and not self._handler.replaces(plain_path(path), 0, 1):
                yield path, value

    def value(self, path: Path) -> Any:
        """The declared path's value as the account has it."""
        found = self._read()
        return ABSENT if found is None else at(found[1], path)

    def change(self, path: Path, value: Any) -> None:
        """Send the update that a program with this value would send."""
        found, field = self._read(), self._field(path)
        if found is None:
            raise PluginError(f"{self._id} is gone")
        if value is REMOVED and (field is None or field.required):
            raise PluginError(f"{written(path)} is required")
        _, inputs, state = found
        new = copy.deepcopy(inputs)
        put(new, path, value)
        context = self._context()
        for one in self._handler.diff(context, inputs, state, new):
            if self._handler.replaces(one.plain, one.old, one.new):
                raise PluginError(f"{one.path} cannot be changed in place")
        self._handler.update(context, self._id, inputs, state, new)

    def delete(self) -> None:
        """Delete the resource."""
        self._handler.delete(self._context(), self._id, self._inputs, self._state)

    def renew(self, resource: Json) -> None:
        """Take the id and the values of the state: they may name what was created again."""
        self._id, self._inputs = resource["id"], resource["inputs"]
        self._state = resource["outputs"]

    def is_there(self) -> bool:
        """Whether the account has it."""
        return self._read() is not None

    def _field(self, path: Path) -> Field | None:
        fields, found = self._handler.fields, None
        for step in path:
            if isinstance(step, str):
                found = fields.get(step)
                fields = found.fields if found else {}
        return found

    def _read(self) -> tuple[str, Json, Json] | None:
        return self._handler.read(self._context(), self._id, self._inputs, self._state)

    def _context(self) -> Context:
        return Context(self._client)


def put(document: Any, path: Path, value: Any) -> None:
    """Set the value at a path that exists, or take it out (`REMOVED`)."""
    parent = at(document, path[:-1])
    if value is REMOVED:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
