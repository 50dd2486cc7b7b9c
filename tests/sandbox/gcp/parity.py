"""Replays recordings of the real Google Cloud API against the emulator, and scores the answers.

A recording is a log of exchanges with placeholders (`${projectId}`, `${urlMapID}` …). Each request
is sent with its placeholders bound; whatever the recorder normalised (ids, times, fingerprints,
addresses) is normalised on both sides. Polls of operations are left out: the replay waits for each
operation by itself. `python tests/sandbox/gcp/parity.py [--diff] [FILE…]` prints the score.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from cli import recordings

FOLDER = recordings.folder()
PROJECT = "parity-project"
TOKEN = {"Authorization": "Bearer parity"}
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_STATUS = re.compile(r"(\d{3}) [A-Z]")
# What the recorder replaced in every answer, and what no two runs have in common.
_VOLATILE_KEYS = frozenset(
    [
        "id",
        "targetId",
        "creationTimestamp",
        "insertTime",
        "startTime",
        "endTime",
        "fingerprint",
        "labelFingerprint",
        "etag",
        "createTime",
        "expireTime",
        "timeCreated",
        "updated",
        "lockedTime",
        "effectiveTime",
        "generation",
        "uniqueId",
        "clusterCaCertificate",
        "endpoint",
        "privateEndpoint",
        "publicEndpoint",
        "resourceVersion",
        "tpuIpv4CidrBlock",
        "internalIpv6Range",
    ]
)
_FRESH = frozenset({"fingerprint", "labelFingerprint", "etag"})
_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Exchange:
    """One request and the answer that Google gave."""

    verb: str
    url: str
    body: Any
    status: int
    answer: Any

    @property
    def is_poll(self) -> bool:
        """Whether it asks how an operation stands."""
        return "/operations/" in self.url


@dataclass
class Score:
    """How near the emulator's answers came."""

    exchanges: int = 0
    same_outcome: int = 0
    recorded_keys: int = 0
    given_keys: int = 0
    shared_keys: int = 0
    recorded_values: int = 0
    equal_values: int = 0
    differences: list[str] = field(default_factory=list)

    def add(self, other: Score) -> None:
        """Count another score in."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def outcome(self) -> float:
        """Share of exchanges whose status, error reason, operation type and target agree."""
        return self.same_outcome / max(self.exchanges, 1)

    @property
    def recall(self) -> float:
        """Share of Google's keys that were given."""
        return self.shared_keys / max(self.recorded_keys, 1)

    @property
    def precision(self) -> float:
        """Share of the given keys that Google gave."""
        return self.shared_keys / max(self.given_keys, 1)

    @property
    def values(self) -> float:
        """Share of Google's values that were given as they are."""
        return self.equal_values / max(self.recorded_values, 1)

    def line(self, name: str) -> str:
        """One row of the table."""
        return (
            f"{name:72} {self.exchanges:4} {self.outcome:7.3f} {self.recall:7.3f} "
            f"{self.precision:9.3f} {self.values:7.3f}"
        )


HEADING = f"{'recording':72} {'n':>4} {'outcome':>7} {'recall':>7} {'precision':>9} {'values':>7}"


def parse(text: str) -> list[Exchange]:
    """The exchanges of a log."""
    return [_exchange(part.strip("\n")) for part in re.split(r"(?m)^---$", text) if part.strip()]


def _exchange(part: str) -> Exchange:
    lines = part.split("\n")
    # Lines of a JSON document never begin with a status.
    at = next(i for i, line in enumerate(lines) if i and _STATUS.match(line))
    verb, url = lines[0].split(" ", 1)
    return Exchange(
        verb, url, _document(lines[1:at]), int(lines[at][:3]), _document(lines[at + 1 :])
    )


def _document(lines: list[str]) -> Any:
    if "" not in lines:
        return None
    text = "\n".join(lines[lines.index("") + 1 :]).strip()
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


class Binding:
    """What the placeholders stand for, and the other way round.

    A recorder gives several resources of one kind the same placeholder. So a placeholder stands
    for a row of names: a new one is made when the recording finds none there, or makes another;
    the last one that lives is meant.
    """

    def __init__(self, project_number: str, unique: str) -> None:
        self._fixed = {
            "projectId": PROJECT,
            "projectNumber": project_number,
            "uniqueId": unique,
            "kccVersion": "0.0.0",
        }
        self._unique = unique
        self._names: dict[str, list[str]] = {}
        self._made: dict[str, int] = {}
        self.learned: dict[str, str] = {}
        """Recorded → given, for names that the server made up."""

    def alias(self, name: str, text: str) -> None:
        """Let a placeholder stand for a text with other placeholders."""
        self._fixed.setdefault(name, self.bind(text))

    def expect_absent(self, name: str) -> None:
        """The recording finds nothing, or makes something: any earlier name is another's."""
        if name in self._names:
            self._fresh(name)

    def drop(self, name: str) -> None:
        """What the name stood for was deleted."""
        if len(self._names.get(name, ())) > 1:
            self._names[name].pop()

    def _fresh(self, name: str) -> str:
        self._made[name] = self._made.get(name, 0) + 1
        value = f"{name.lower()}-{self._unique}-{self._made[name]}"
        self._names.setdefault(name, []).append(value)
        return value

    def value(self, name: str) -> str:
        """What a placeholder stands for now."""
        if name in self._fixed:
            return self._fixed[name]
        names = self._names.get(name)
        return names[-1] if names else self._fresh(name)

    def is_fixed(self, name: str) -> bool:
        """Whether it stands for one thing all through the recording."""
        return name in self._fixed

    def bind(self, text: str) -> str:
        """Put values for placeholders."""
        bound = _PLACEHOLDER.sub(lambda m: self.value(m[1]), text)
        for recorded, given in self.learned.items():
            bound = bound.replace(recorded, given)
        return bound

    def learn(self, recorded: Any, given: Any) -> None:
        """Learn the names that the server made up: one instance group a zone, in any order."""
        there = {}
        for path, text in leaves(given):
            if path[-2:-1] == ("instanceGroupUrls",):
                # By pool and zone; a cluster shows the groups of all its pools.
                there[(*path[:-1], text.rpartition("/")[0])] = text.rpartition("/")[2]
        for path, text in leaves(recorded):
            if path[-2:-1] == ("instanceGroupUrls",):
                folder = self.bind(text.rpartition("/")[0])
                name = self.bind(text.rpartition("/")[2])
                if (*path[:-1], folder) in there:
                    made = there[(*path[:-1], folder)]
                    self.learned.setdefault(name, made)
                    # Instances and templates bear the group's name without its end.
                    self.learned.setdefault(name.removesuffix("-grp"), made.removesuffix("-grp"))


def leaves(document: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value with its path; empty objects and lists are values."""
    if isinstance(document, dict) and document:
        for key, value in document.items():
            yield from leaves(value, (*path, key))
    elif isinstance(document, list) and document:
        for index, value in enumerate(document):
            yield from leaves(value, (*path, str(index)))
    else:
        yield path, document


def keys(document: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every key and element."""
    items: Any = ()
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = ((str(index), value) for index, value in enumerate(document))
    for key, value in items:
        yield (*path, key)
        yield from keys(value, (*path, key))


_ALLOCATED = frozenset({"clusterIpv4Cidr", "clusterIpv4CidrBlock", "podIpv4CidrBlock"})


def _normal(path: tuple[str, ...], value: Any) -> Any:
    key = next((part for part in reversed(path) if not part.isdigit()), "")
    if key in _VOLATILE_KEYS and not isinstance(value, dict | list):
        return f"<{key}>"
    if isinstance(value, str):
        value = re.sub(r"operation-[\w-]+", "<operation>", value)
        # What depends on the day: Google's newest version, and the image that goes with it.
        value = re.sub(r"\d+\.\d+\.\d+-gke\.\d+", "<version>", value)
        value = re.sub(r"^gke-\d+-gke\d+-cos-[\w-]+$", "<image>", value)
        # What the server draws: hashes in names, and pod ranges out of its own pool.
        value = re.sub(r"(gke-[\w-]+)-[0-9a-f]{8}\b", r"\1-<hash>", value)
        if key in _ALLOCATED:
            value = re.sub(r"^10\.\d+\.0\.0/14$", "<range>", value)
        if key == "selfLinkWithId":
            return f"{value.rpartition('/')[0]}/<id>"
        return re.sub(r"(targetGrpcProxies|networks|subnetworks)/\d{10,}$", r"\1/<id>", value)
    return value


def compare(recorded: Any, given: Any, score: Score, label: str) -> None:
    """Count keys and values of one answer."""
    want, have = set(keys(recorded)), set(keys(given))
    score.recorded_keys += len(want)
    score.given_keys += len(have)
    score.shared_keys += len(want & have)
    given_values = dict(leaves(given))
    for path, value in leaves(recorded):
        score.recorded_values += 1
        expected = _normal(path, value)
        if path in given_values and _normal(path, given_values[path]) == expected:
            score.equal_values += 1
        elif path in have:
            found = given_values.get(path)
            score.differences.append(f"{label} {'.'.join(path)}: {value!r} != {found!r}")
    score.differences += [f"{label} missing {'.'.join(p)}" for p in sorted(want - have)]
    score.differences += [f"{label} too much {'.'.join(p)}" for p in sorted(have - want)]


def _outcome(status: int, answer: Any) -> tuple[Any, ...]:
    if not isinstance(answer, dict):
        return (status,)
    error = answer.get("error")
    if isinstance(error, dict):
        reasons = tuple(e.get("reason") for e in error.get("errors", ()))
        return (status, error.get("code"), error.get("status"), reasons)
    return (status, answer.get("operationType"), answer.get("targetLink"))


async def replay(
    exchanges: Sequence[Exchange], client: httpx.AsyncClient, binding: Binding
) -> Score:
    """Send the requests in order and score the answers."""
    score = Score()
    _alias(exchanges, binding)
    fresh: dict[str, dict[str, Any]] = {}
    for exchange in exchanges:
        if exchange.is_poll:
            continue
        target = _target(exchange)
        if target and exchange.status == 404 and exchange.verb == "GET":
            binding.expect_absent(target)
        url = binding.bind(exchange.url)
        body = json.loads(binding.bind(json.dumps(exchange.body))) if exchange.body else None
        if isinstance(body, dict):
            _refresh(body, fresh, url)
        answer = await client.request(exchange.verb, url, json=body, headers=TOKEN)
        given = _json(answer)
        if isinstance(given, dict):
            fresh[_resource(url)] = given
        label = f"{exchange.verb} {exchange.url.partition('?')[0][-60:]}"
        recorded = exchange.answer
        if isinstance(recorded, dict):
            binding.learn(recorded, given)
            recorded = json.loads(
                binding.bind(json.dumps(recorded).replace("${operationID}", "operation-x"))
            )
        score.exchanges += 1
        want, have = _outcome(exchange.status, recorded), _outcome(answer.status_code, given)
        if want == have:
            score.same_outcome += 1
        else:
            score.differences.append(f"{label} outcome {want} != {have} {answer.text[:300]}")
        compare(recorded, given, score, label)
        await _wait(given, answer.url, client)
        if target and exchange.verb == "DELETE" and exchange.status == 200:
            binding.drop(target)
    return score


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError:
        return answer.text


def _resource(url: str) -> str:
    return httpx.URL(url).path.removesuffix("/setLabels")


def _refresh(body: dict[str, Any], fresh: dict[str, dict[str, Any]], url: str) -> None:
    # A client sends back the fingerprint that it read; the recorder has overwritten it.
    last = fresh.get(_resource(url), {})
    for name in _FRESH & body.keys():
        if name in last:
            body[name] = last[name]


def _target(exchange: Exchange) -> str | None:
    last = exchange.url.partition("?")[0].rpartition("/")[2]
    found = _PLACEHOLDER.fullmatch(last)
    return found[1] if found else None


def _alias(exchanges: Sequence[Exchange], binding: Binding) -> None:
    """A name that the recorder replaced in URLs but not in bodies is read from the errors."""
    for exchange in exchanges:
        target = _target(exchange)
        if target is None or not isinstance(exchange.answer, dict):
            continue
        message = str(exchange.answer.get("error", {}).get("message", ""))
        found = re.search(r"'(projects/[^']+)'", message)
        if found:
            name = found[1].rpartition("/")[2]
            if name != f"${{{target}}}" and "${" in name:
                binding.alias(target, name)


async def _wait(operation: Any, url: httpx.URL, client: httpx.AsyncClient) -> None:
    if not isinstance(operation, dict) or "operationType" not in operation:
        return
    address = httpx.URL(operation["selfLink"])
    if address.host != url.host:
        address = address.copy_with(host=url.host)
    waited = 0.0
    while operation.get("status") != "DONE":
        if waited > _WAIT_SECONDS:
            raise TimeoutError(f"{operation['name']} is not done after {_WAIT_SECONDS} s")
        operation = (await client.get(address, headers=TOKEN)).json()
        if "error" in operation and "operationType" not in operation:
            raise AssertionError(f"polling {address}: {operation}")
        await asyncio.sleep(0.005)
        waited += 0.005


async def score_file(path: Path, app: Any, project_number: str, unique: str) -> Score:
    """The score of one recording, in an emulator that is given (and started)."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport) as client:
        return await replay(parse(path.read_text()), client, Binding(project_number, unique))


async def score_all(paths: Sequence[Path]) -> dict[str, Score]:
    """The score of each recording, each in an emulator of its own."""
    from sandbox.gcp.app import create_app
    from sandbox.gcp.service import project_number

    scores: dict[str, Score] = {}
    for path in paths:
        app = create_app(None)
        await app.start()
        try:
            scores[path.name] = await score_file(path, app, project_number(PROJECT), "p4r1tyx")
        finally:
            await app.stop()
    return scores


def total(scores: dict[str, Score]) -> Score:
    """All scores in one."""
    whole = Score()
    for score in scores.values():
        whole.add(score)
    return whole


def table(scores: dict[str, Score]) -> str:
    """The scores, a line each, and their total."""
    rows = [score.line(name.removesuffix(".http.log")) for name, score in scores.items()]
    return "\n".join([HEADING, *rows, total(scores).line("total")])


def main() -> None:
    """Print the score of the recordings that are named, or of all."""
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    paths = [Path(n) for n in names] or sorted(FOLDER.glob("*.http.log"))
    scores = asyncio.run(score_all(paths))
    if "--diff" in sys.argv:
        for name, score in scores.items():
            print(f"== {name}", *score.differences, sep="\n  ")
    print(table(scores))


if __name__ == "__main__":
    main()
