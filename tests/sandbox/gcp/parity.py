"""Replays recordings of the real Google Cloud API against the emulator, and scores the answers.

A recording is a log of exchanges with placeholders (`${projectId}`, `${urlMapID}` …). Each request
is sent with its placeholders bound; whatever the recorder normalised (ids, times, fingerprints,
addresses) is normalised on both sides. Polls of operations are left out: the replay waits for each
operation by itself. Fields that Google has shown only since the recording are counted apart.

`python -m tests.sandbox.gcp.parity [--diff] [FILE…]` prints the score.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from cli import recordings
from tests.sandbox.gcp.likeness import HEADING, VOLATILE, Score, compare
from tests.sandbox.gcp.placeholders import Binding
from tests.sandbox.gcp.recorded import Exchange, parse

FOLDER = recordings.folder()
PROJECT = "parity-project"
TOKEN = {"Authorization": "Bearer parity"}
_FRESH = frozenset({"fingerprint", "labelFingerprint", "etag"})
_WAIT_SECONDS = 60.0


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
    score, fresh, age = Score(), _Fresh(), _Age()
    for exchange in exchanges:
        if exchange.is_poll:
            continue
        target = _target(exchange)
        if target:
            _expect(exchange, target, binding)
        answer = await _send(exchange, client, binding, fresh)
        if target and exchange.verb == "GET" and exchange.status == 200:
            answer = await _best(exchange, target, client, binding, answer)
        given = _json(answer)
        label = f"{exchange.verb} {exchange.url.partition('?')[0][-60:]}"
        recorded = exchange.answer
        if isinstance(recorded, dict):
            fresh.read(exchange.url, binding, given)
            age.read(recorded)
            sent = exchange.url + json.dumps(exchange.body)
            binding.learn(recorded, given, sent, VOLATILE)
            recorded = json.loads(
                binding.bind(json.dumps(recorded).replace("${operationID}", "operation-x"))
            )
        score.exchanges += 1
        want, have = _outcome(exchange.status, recorded), _outcome(answer.status_code, given)
        if want == have:
            score.same_outcome += 1
        else:
            score.differences.append(f"{label} outcome {want} != {have} {answer.text[:300]}")
        compare(recorded, given, score, label, age.version)
        await _wait(given, answer.url, client)
        if target and exchange.verb == "DELETE" and exchange.status == 200:
            binding.drop(target)
    return score


def _expect(exchange: Exchange, target: str, binding: Binding) -> None:
    """Let the placeholder at a URL's end stand for what the recording goes on to find."""
    if exchange.verb == "GET" and exchange.status == 404:
        binding.expect_absent(target)
        if isinstance(exchange.answer, dict):
            message = str((exchange.answer.get("error") or {}).get("message", ""))
            binding.read_error(target, message)
    elif exchange.verb == "GET" and exchange.status == 200 and not binding.names(target):
        # Nobody made it: every project has it.
        binding.name(target, "default")


async def _send(
    exchange: Exchange, client: httpx.AsyncClient, binding: Binding, fresh: _Fresh
) -> httpx.Response:
    url = binding.bind(exchange.url)
    body = json.loads(binding.bind(json.dumps(exchange.body))) if exchange.body else None
    if isinstance(body, dict):
        fresh.write(url, body)
    return await client.request(exchange.verb, url, json=body, headers=TOKEN)


async def _best(
    exchange: Exchange,
    target: str,
    client: httpx.AsyncClient,
    binding: Binding,
    answer: httpx.Response,
) -> httpx.Response:
    """The answer about the one of several resources that the recording reads; it is meant now."""
    found: list[tuple[int, int, str, httpx.Response]] = []
    for turn, name in enumerate(binding.names(target)):
        binding.name(target, name)
        one = await client.get(binding.bind(exchange.url), headers=TOKEN)
        score = Score()
        compare(json.loads(binding.bind(json.dumps(exchange.answer))), _json(one), score, "", None)
        found.append((score.equal_values, turn, name, one))
    if len(found) < 2:
        return answer
    _, _, name, best = max(found, key=lambda entry: entry[:2])
    for _, _, other, _ in found:
        binding.name(target, other)
    binding.name(target, name)
    return best


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError:
        return answer.text


class _Fresh:
    """The fingerprints and etags that a client has read, and sends back.

    The recorder has overwritten them. A resource and its IAM policy have one each.
    """

    def __init__(self) -> None:
        self._read: dict[tuple[str, bool], dict[str, Any]] = {}

    def read(self, url: str, binding: Binding, given: Any) -> None:
        if isinstance(given, dict):
            self._read[self._key(binding.bind(url))] = given

    def write(self, url: str, body: dict[str, Any]) -> None:
        last = self._read.get(self._key(url), {})
        for holder in (body, body.get("policy"), body.get("update")):
            if isinstance(holder, dict):
                holder |= {name: last[name] for name in _FRESH & holder.keys() if name in last}

    @staticmethod
    def _key(url: str) -> tuple[str, bool]:
        path = httpx.URL(url).path
        is_policy = path.endswith(("IamPolicy", "/iam"))
        resource = re.sub(r"(?<=[^/:]):[A-Za-z]+$|/(set|get)[A-Z][A-Za-z]+$|/iam$", "", path)
        return resource, is_policy


class _Age:
    """The GKE version of the cluster that a recording is about: how old the recording is."""

    def __init__(self) -> None:
        self.version: tuple[int, ...] | None = None

    def read(self, recorded: dict[str, Any]) -> None:
        found = re.match(r"(\d+)\.(\d+)\.(\d+)", str(recorded.get("currentMasterVersion", "")))
        if found:
            self.version = tuple(map(int, found.groups()))


def _target(exchange: Exchange) -> str | None:
    last = exchange.url.partition("?")[0].rpartition("/")[2]
    found = re.fullmatch(r"\$\{(\w+)\}", last)
    return found[1] if found else None


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
        return await replay(
            parse(path.read_text()), client, Binding(PROJECT, project_number, unique)
        )


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
