"""What every model of an environment claims, asked through the front ends of a rehearsal.

A model claims its paths, the verbs of its server and everything below, on its hosts. Each claim is
asked on every host of the environment, and so are paths that nobody claims: what has to answer
follows from the models' entries and `platformctl routes`, not from what the sandbox has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cli.routing import HTTP_LOAD_BALANCER, Plan
from infra.networking.url_map.lookup import Found
from infra.path_routes import INFERENCE
from infra.serving.exposures.path_route import PathRoute
from infra.serving.models import Workload

PREDICT = {"instances": [1.0]}
EXAMPLES = {"examples": [{"x": 1.0}]}
INFER = {"inputs": [{"name": "i", "shape": [1], "datatype": "FP32", "data": [1.0]}]}
NOBODY = "nobody.invalid"
INJECTION = "1' OR '1'='1"
ATTACK = "?id=1%27%20OR%20%271%27=%271"
"""What `sqli` of Cloud Armor's preconfigured rules refuses."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, and what has to become of it."""

    kind: str
    """The front end: a kind of exposure."""
    method: str
    url: str
    expected: Found
    is_claimed: bool = False
    """The model has to answer it with success, not only to get it."""
    body: bytes = b""
    is_identified: bool = True
    """With the identity of a caller whom Identity-Aware Proxy admits, where one is needed."""
    statuses: tuple[int, ...] = ()
    """Those that are right, where neither the model nor a redirect says it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a request."""

    status: int
    headers: Mapping[str, str]


def paths_of(model: Workload) -> list[tuple[str, str, bytes]]:
    """Method, path at the front end, and body of what the model's server answers with 200."""
    found = []
    for public, target in _publics(model).items():
        for method, path, body in _served(model):
            root = target.rstrip("/")
            if path == root or path.startswith((f"{root}/", f"{root}:")):
                end = path.removeprefix(root)
                found.append((method, public + end, json.dumps(body).encode() if body else b""))
    return found


def _publics(model: Workload) -> dict[str, str]:
    """The server's path by the path at the front end."""
    exposure = model.exposure
    if isinstance(exposure, PathRoute):
        return {exposure.path: exposure.server_path}
    rewrites: Mapping[str, str] = getattr(exposure, "rewrites", {})
    claimed = exposure.paths or model.served_paths
    return {one: rewrites.get(one, one) for one in claimed}


def _served(model: Workload) -> Iterator[tuple[str, str, object]]:
    """Method, path at the server, and body."""
    path = model.path
    yield "GET", path, None
    yield "HEAD", path, None
    for verb in model.verbs:
        yield "POST", f"{path}:{verb}", PREDICT if verb == "predict" else EXAMPLES
    if model.server == "tensorflow-serving":
        yield "GET", f"{path}/metadata", None
        yield "POST", f"{path}/versions/1:predict", PREDICT
    if model.server in {"triton", "kserve-v2"}:
        yield "POST", f"{path}/infer", INFER
        yield "GET", f"{path}/ready", None


def hosts_of(plan: Plan) -> list[str]:
    """Every host that a domain or a model names, and one that nobody names."""
    domains = [one.name for one in plan.networking.domains]
    named = [host for model in plan.serving.entries for host in model.exposure.hosts]
    return [*dict.fromkeys([*domains, *named]), NOBODY]


def asks(plan: Plan) -> list[Ask]:
    """Everything that is asked of an environment, each once."""
    found: dict[tuple[str, str, str], Ask] = {}
    routed = {
        kind: [one for one in plan.serving.entries if one.exposure.kind == kind]
        for kind in plan.front_ends
    }
    everyone = [one for models in routed.values() for one in models]
    for kind, front in plan.front_ends.items():
        for host in hosts_of(plan):
            if kind == INFERENCE:
                is_certified = any(host in one.exposure.hosts for one in routed[kind])
            else:
                is_certified = plan.load_balancer.is_certified(host)
            if front.scheme == "https" and not is_certified:
                continue  # the TLS handshake fails
            for model in everyone:
                for method, path, body in paths_of(model):
                    if kind == INFERENCE and body:
                        continue  # the picker refuses a body that names none of its models
                    expected = front.find(f"{front.scheme}://{host}{path}")
                    # Whose path it is has to get it: a longer path of another may be nearer.
                    mine = expected.model == model.name
                    ask = Ask(kind, method, expected.url, expected, mine, body)
                    found.setdefault((kind, method, expected.url), ask)
                for path in (*_publics(model), f"{paths_of(model)[0][1]}x", "/"):
                    expected = front.find(f"{front.scheme}://{host}{path}")
                    ask = Ask(kind, "GET", expected.url, expected)
                    found.setdefault((kind, "GET", expected.url), ask)
        if front.scheme == "https":
            for model in routed[kind]:
                host = (*model.exposure.hosts, hosts_of(plan)[0])[0]
                method, path, body = paths_of(model)[0]
                expected = front.find(f"http://{host}{path}")
                ask = Ask(kind, method, expected.url, expected, True, body)
                found[kind, method, expected.url] = ask
    return [*found.values(), *_refused(plan), *_refused_in_region(plan), *_of_services(plan)]


def _refused(plan: Plan) -> Iterator[Ask]:
    """Requests that Cloud Armor or Identity-Aware Proxy refuses, or would in earnest."""
    armor, front = plan.networking.armor, plan.load_balancer
    inspects = armor is not None and "sqli" in armor.waf
    statuses = (403,) if armor is not None and inspects and not armor.dry_run else ()
    for model in plan.serving.entries:
        if model.exposure.kind != HTTP_LOAD_BALANCER:
            continue
        hosts = [f"{front.scheme}://{host}" for host in model.exposure.hosts]
        base = (*hosts, "")[0]
        answered = paths_of(model)
        method, path, body = answered[0]
        found = front.find(base + path)
        if found.members:
            yield Ask(
                HTTP_LOAD_BALANCER, method, found.url, found, body=body,
                is_identified=False, statuses=(302, 401),
            )  # fmt: skip
        attacks = [(method, path + ATTACK, body)]
        if not model.takes_free_text:
            injected = json.dumps(INJECTION).encode()
            attacks += [
                (other, at, content.replace(b"1.0", injected))
                for other, at, content in answered
                if content
            ]
        for other, at, content in attacks if inspects else ():
            found = front.find(base + at)
            yield Ask(
                HTTP_LOAD_BALANCER, other, found.url, found, not statuses, content,
                statuses=statuses,
            )  # fmt: skip


def _refused_in_region(plan: Plan) -> Iterator[Ask]:
    """What the Cloud Armor policy of the Inference Gateway refuses, or would in earnest."""
    armor, front = plan.serving.inference_gateway.armor, plan.front_ends.get(INFERENCE)
    if armor is None or front is None or "sqli" not in armor.waf:
        return
    statuses = () if armor.dry_run else (403,)
    for model in plan.serving.entries:
        if model.exposure.kind != INFERENCE:
            continue
        for method, path, body in paths_of(model):
            if not body:  # the picker refuses a body that names none of its models
                found = front.find(f"{front.scheme}://{model.exposure.hosts[0]}{path}{ATTACK}")
                yield Ask(INFERENCE, method, found.url, found, not statuses, statuses=statuses)


def _of_services(plan: Plan) -> Iterator[Ask]:
    """Requests at the addresses of models' own Services, and at those that have none outside.

    No route is in front: a neighbour's path gets the server's own refusal.
    """
    for model in plan.serving.entries:
        if model.exposure.kind in plan.front_ends:
            continue
        for other in plan.serving.entries:
            for method, path, body in paths_of(other):
                is_mine = other is model
                found = Found(url=path, model=model.name, shares=((model.name, 100),), path=path)
                is_known = is_mine or other.served_name == model.served_name
                if is_mine or (not is_known and other.server == model.server):
                    yield Ask(model.exposure.kind, method, path, found, is_mine, body)


def unclaimed(plan: Plan, asked: Iterable[Ask]) -> list[str]:
    """Models on a front end of which no claim is asked: none, or the test does not look."""
    seen = {(one.kind, one.expected.model) for one in asked if one.is_claimed}
    return [one.name for one in plan.serving.entries if (one.exposure.kind, one.name) not in seen]
