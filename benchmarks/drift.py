"""How much of what is changed behind Pulumi's back `drift` reports, and `up --refresh` repairs.

Run it in the shell of a sandbox in which an environment is deployed:
`.venv/bin/python -m benchmarks.drift dev`. It changes managed values of all layers' resources
directly in the Kubernetes API server and the emulated Google APIs, several of each resource at
once, and prints four figures: changes, reported, repaired, and drift found where there is none.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from cli.drift.values import ABSENT, Path, at, moved, written
from cli.environments import ROOT
from gkeplatform.layers import LAYERS, Layer
from sandbox.plugins.gcp.client import Client
from sandbox.plugins.gcp.config import Config
from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.registry import handler_of
from sandbox.plugins.provider import PluginError

FIXED = re.compile(
    r"(^|\.)(name|namespace|kind|apiVersion|id|selfLink|etag|fingerprint|region|zone|location"
    r"|ports|autoCreateSubnetworks|network|project|kmsKeyName|selector|roleRef|creationTimestamp|serviceId|type)(\.|$|\[)"
)
"""Names, places and what the APIs do not change."""


@dataclass(frozen=True, slots=True)
class Change:
    """One value changed in the account."""

    layer: str
    urn: str
    path: str
    """In the API's own words."""
    found: Any


def main() -> None:
    """Print the four figures, and what was missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("environment")
    parser.add_argument("--each", type=int, default=6, help="changes of one resource")
    parser.add_argument("--kinds", type=int, default=10_000, help="resources of one kind")
    options = parser.parse_args()
    false = count(drift(options.environment))
    made = [
        change
        for layer in LAYERS
        for change in changed(layer, options.environment, options.each, options.kinds)
    ]
    found = drift(options.environment)
    missed = [one for one in made if not is_reported(one, found)]
    subprocess.run(
        ["./platformctl", "rehearse", options.environment, "--refresh"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if not os.environ.get("VERBOSE") else None,
    )
    left = drift(options.environment)
    for one in missed:
        print("missed", one)
    for name, layer in left.items():
        for each in layer["drift"] + layer["notDeployed"]:
            print("left", name, json.dumps(each))
    unrepaired = [one for one in made if is_reported(one, left)]
    print(f"changes {len(made)}, reported {len(made) - len(missed)}, "
          f"repaired {len(made) - len(unrepaired)}, false {false}")  # fmt: skip


def drift(environment: str) -> dict[str, Any]:
    """The layers of `drift --json`."""
    done = subprocess.run(
        ["./platformctl", "drift", environment, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 7):
        sys.exit(done.stderr)
    layers: dict[str, Any] = json.loads(done.stdout)["environments"][0]["layers"]
    return layers


def count(layers: Mapping[str, Any]) -> int:
    """How many values and deletions a report has."""
    return sum(len(each["values"]) or 1 for one in layers.values() for each in one["drift"]) + sum(
        len(one["notDeployed"]) for one in layers.values()
    )


def is_reported(change: Change, layers: Mapping[str, Any]) -> bool:
    """Whether the resource is reported with the value that was set."""
    wanted = json.dumps(change.found)
    for each in layers[change.layer]["drift"]:
        if each["urn"] == change.urn:
            if each["deleted"]:
                return True
            told = [json.dumps(value.get("found")) for value in each["values"]]
            if any(wanted in one or wanted.strip('"') in one for one in told):
                return True
    return False


def changed(layer: Layer, environment: str, each: int, kinds: int = 10_000) -> Iterator[Change]:
    """Change up to `each` values of each resource of a layer's state, `kinds` of one kind."""
    export = subprocess.run(
        ["pulumi", "stack", "export", "--stack", environment],
        cwd=ROOT / layer.directory,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    seen: dict[str, int] = {}
    for resource in json.loads(export)["deployment"]["resources"]:
        kind = resource["type"]
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] > kinds or not resource.get("custom"):
            continue
        change = _of_object if kind.startswith("kubernetes:") else _of_resource
        if kind.startswith(("kubernetes:", "gcp:")):
            for path, value in change(resource, each):
                yield Change(layer.name, resource["urn"], path, value)


def other(path: Path, value: Any) -> Any:  # noqa: PLR0911  # one a form
    """A sensible other value, ABSENT if there is none to guess."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2
    if not isinstance(value, str) or not value:
        return ABSENT
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


def _chosen(document: Any, each: int, seed: str) -> list[tuple[Path, Any]]:
    """Up to `each` leaves and their new values, the same at every run."""
    found = [
        (path, other(path, value))
        for path, value in leaves(document)
        if not FIXED.search(written(path))
    ]
    found = [one for one in found if one[1] is not ABSENT]
    random.Random(seed).shuffle(found)
    return found[: each * 2]


# Kubernetes


def _of_object(resource: Mapping[str, Any], each: int) -> Iterator[tuple[str, Any]]:
    inputs = resource["inputs"]
    names = [inputs["metadata"].get("namespace"), inputs["kind"], inputs["metadata"]["name"]]
    live = json.loads(_kubectl(names, "get", "-o", "json"))
    made = 0
    for path, value in _chosen(inputs, each, resource["urn"]):
        place = moved(inputs, live, path)
        if made == each or place is None:
            continue
        operation = [{"op": "replace", "path": _pointer(place), "value": value}]
        try:
            _kubectl(names, "patch", "--type=json", "-p", json.dumps(operation))
        except subprocess.CalledProcessError:
            continue
        after = at(json.loads(_kubectl(names, "get", "-o", "json")), place)
        if after != at(live, place) and after is not ABSENT:
            made += 1
            yield written(path), after


def _kubectl(names: list[str | None], verb: str, *arguments: str) -> str:
    namespace, kind, name = names
    where = ["-n", namespace] if namespace else []
    return subprocess.run(
        ["kubectl", verb, str(kind), str(name), *where, *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def _pointer(path: Path) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


# Google


def _of_resource(resource: Mapping[str, Any], each: int) -> Iterator[tuple[str, Any]]:
    handler = handler_of(resource["type"])
    if handler is None or not handler.spec.update:
        return
    client = Client(Config())
    context = Context(client)
    known = {**resource["inputs"], **resource["outputs"]}
    handler.place(context, known, resource["id"])
    try:
        live = handler.read_remote(context)
    except PluginError:
        return
    if not live:
        return
    declared = {json.dumps(value) for _, value in leaves(resource["inputs"])}
    stated = {key: one for key, one in live.items() if key not in ("id", "name")}
    made = 0
    for path, value in _chosen(stated, each * 4, resource["urn"]):
        if made == each or json.dumps(at(stated, path)) not in declared:
            continue
        top = str(path[0])
        now = handler.read_remote(context) or {}
        body = copy.deepcopy(now if handler.spec.update == "PUT" else {top: now[top]})
        _put(body, path, value)
        if "fingerprint" in now:
            body["fingerprint"] = now["fingerprint"]
        params = {"updateMask": top} if handler.spec.update_mask else None
        try:
            context.call(handler.spec.update, handler.path(context), body, params)
        except (PluginError, httpx.HTTPError):
            continue
        after = at(handler.read_remote(context), path)
        if after != at(now, path) and after is not ABSENT:
            made += 1
            yield written(path), after


def _put(document: Any, path: Path, value: Any) -> None:
    at(document, path[:-1])[path[-1]] = value


if __name__ == "__main__":
    main()
