"""What an update that was killed leaves in a stack's state, and the state with which it goes on.

The engine notes each operation before it begins. After a kill the notes say what was in progress.
Changes and deletions are simply done again by the next update. A creation may have reached Google,
and then a second one is refused for ever, or makes a second resource. So the resource is put into
the state under its id and read: what does not exist leaves the state again, and is created.
`pulumi stack import` drops the engine's notes, so such a resource has an error of its creation
(`UNREAD`) until it was read.

Pure functions over the document of `pulumi stack export`; `cli.settling` runs the commands.
"""

from __future__ import annotations

import copy
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cli import urns
from cli.resource_ids import outputs_of

Json = dict[str, Any]
UNREAD = "its creation was interrupted, and it was not read since"
"""The `initErrors` of an adopted resource; a read takes them away."""
_STACK = "pulumi:pulumi:Stack"
_DOING = {"creating": "creating", "updating": "updating", "deleting": "deleting"}


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that was in progress."""

    kind: str
    """`creating`, `updating`, `deleting`, or another of the engine's words."""
    resource: Json

    @property
    def urn(self) -> str:
        """The resource's URN."""
        return str(self.resource["urn"])

    @property
    def type(self) -> str:
        """The resource's type token."""
        return str(self.resource["type"])

    @property
    def label(self) -> str:
        """Type and name as progress lines show them, such as `Network main`."""
        return f"{self.type.rpartition(':')[2]} {self.urn.rpartition('::')[2]}"

    @property
    def inputs(self) -> Json:
        """The resource's inputs."""
        return dict(self.resource.get("inputs") or {})


def import_command(resource: Json, stack: str, id_: str = "ID") -> str:
    """The command that adopts the resource under the name, parent and provider of the program."""
    urn, parent = str(resource["urn"]), str(resource.get("parent") or "")
    words = ["pulumi", "import", str(resource["type"]), urns.name(urn), id_]
    if parent and f"::{_STACK}::" not in parent:
        words += ["--parent", f"parent={parent}"]
    if resource.get("provider"):
        words += ["--provider", f"provider={str(resource['provider']).rpartition('::')[0]}"]
    return shlex.join([*words, "--protect=false", "--generate-code=false", "--stack", stack])


def operations(export: Json) -> list[Operation]:
    """The operations in progress when the last update ended; empty unless it was killed.

    What was adopted and not read, because that was interrupted as well, is still being created.
    """
    found = (export.get("deployment") or {}).get("pending_operations") or ()
    noted = [Operation(str(one.get("type", "")), one["resource"]) for one in found]
    known = {one.urn for one in noted}
    unread = [one for one in _resources(export) if UNREAD in (one.get("initErrors") or ())]
    return noted + [Operation("creating", one) for one in unread if one["urn"] not in known]


def described(found: list[Operation]) -> str:
    """What was interrupted, as one line."""
    shown = [f"{_DOING.get(one.kind, one.kind)} {one.label}" for one in found]
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return f"an earlier run was ended while {', '.join(shown[:5])}{more}"


def provider_inputs(export: Json, resource: Json) -> Json:
    """The inputs of the resource's provider."""
    urn = str(resource.get("provider", "")).rpartition("::")[0]
    for one in _resources(export):
        if one.get("urn") == urn:
            return dict(one.get("inputs") or {})
    return {}


def known_ids(export: Json) -> frozenset[str]:
    """The ids that the state has."""
    return frozenset(str(one["id"]) for one in _resources(export) if one.get("id"))


def resource(export: Json, urn: str, id_: str) -> Json | None:
    """The resource of this URN and id, unless it is to be deleted."""
    for one in _resources(export):
        if one.get("urn") == urn and one.get("id") == id_ and not one.get("delete"):
            return one
    return None


def leaving(export: Json, urn: str, id_: str) -> Json | None:
    """The resource of this URN and id that a failed update has replaced and not yet deleted."""
    for one in _resources(export):
        if one.get("urn") == urn and one.get("id") == id_ and one.get("delete"):
            return one
    return None


def with_kept(export: Json, ids: Mapping[str, str]) -> Json:
    """The state in which what was to be deleted stays, and its replacement is to be deleted.

    `ids` is by URN. The two change places, so that what depends on the URN still comes behind it.
    """
    result = copy.deepcopy(export)
    resources: list[Json] = result["deployment"]["resources"]
    for urn, id_ in ids.items():
        kept = leaving(result, urn, id_)
        if kept is None:
            continue
        del kept["delete"]
        for index, one in enumerate(resources):
            if one.get("urn") == urn and one is not kept and not one.get("delete"):
                there = next(i for i, other in enumerate(resources) if other is kept)
                one["delete"] = True
                resources[index], resources[there] = kept, one
                break
    return result


def unread(export: Json, urn: str) -> Json:
    """The state with this resource as one that is still to be settled."""
    result = copy.deepcopy(export)
    for one in _resources(result):
        if one.get("urn") == urn and not one.get("delete"):
            one["initErrors"] = [*(one.get("initErrors") or ()), UNREAD]
    return result


def without(export: Json, ids: Mapping[str, str]) -> Json:
    """The state without the resources of these ids; `ids` is by URN."""
    result = copy.deepcopy(export)
    result["deployment"]["resources"] = [
        one for one in _resources(result) if ids.get(str(one.get("urn"))) != one.get("id", "")
    ]
    return result


def with_adopted(export: Json, ids: Mapping[str, str]) -> Json:
    """The state with each created resource in it, under its id; `ids` is by URN.

    A resource that was to replace another takes that one's place in the list, before what depends
    on it, and the old one is marked for deletion, as the engine does after a creation.
    """
    result = copy.deepcopy(export)
    resources: list[Json] = result["deployment"].setdefault("resources", [])
    for one in operations(export):
        id_ = ids.get(one.urn)
        if one.kind != "creating" or id_ is None or resource(result, one.urn, id_):
            continue
        added = {
            **copy.deepcopy(one.resource),
            "id": id_,
            "outputs": outputs_of(one.type, one.inputs, id_),
            "initErrors": [UNREAD],
        }
        at = len(resources)
        for index in reversed(range(len(resources))):
            old = resources[index]
            if old.get("urn") == one.urn and not old.get("delete"):
                at = index
                if old.pop("pendingReplacement", None):
                    del resources[index]
                else:
                    old["delete"] = True
        resources.insert(at, added)
    return result


def settled(before: Json, after: Json) -> Json:
    """The state after the adopted ones were read: without notes of operations.

    Where a replacement proved not to exist, the resource that it was to replace is as `before`.
    """
    result = copy.deepcopy(after)
    deployment = result["deployment"]
    noted = {one.urn for one in operations(before)}
    deployment["pending_operations"] = []
    resources: list[Json] = deployment.setdefault("resources", [])
    for one in resources:
        if UNREAD in (one.get("initErrors") or ()):
            one["initErrors"] = [text for text in one["initErrors"] if text != UNREAD]
            if not one["initErrors"]:
                del one["initErrors"]
    live = {one.get("urn") for one in resources if not one.get("delete")}
    for old in _resources(before):
        if old.get("urn") not in noted - live or old.get("delete"):
            continue
        for index, one in enumerate(resources):
            if one.get("urn") == old["urn"] and one.get("id") == old.get("id"):
                resources[index] = copy.deepcopy(old)
    return result


def _resources(export: Json) -> Iterator[Json]:
    yield from (export.get("deployment") or {}).get("resources") or ()
