"""The pack in the SDK's own servicer and in ours: the time for the same objects, in one run.

`.venv/bin/python -m benchmarks.policy_servicers` sends the requests that the engine sends for one
stack to both servicers in turn. The SDK's reads each resource once for each policy, and all
resources once for each stack policy; ours reads a resource once and calls the policies of its type.
Both must report the same rules.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel
from pulumi_policy.policy import _PolicyAnalyzerServicer

from benchmarks import history
from benchmarks.history import Figure
from benchmarks.policies import Json, model
from policies.crossguard import policies
from policies.registry import RULES
from policies.server import NAME, VERSION, Analyzer
from policies.sources.manifests import type_of

MODELS, ROUNDS = 6, 3
AGAINST_SDK = 0.1


def _request(document: Json) -> Any:
    type_ = type_of(document["apiVersion"], document["kind"])
    name = document["metadata"]["name"]
    properties = struct_pb2.Struct()
    properties.update(document)
    urn = f"urn:pulumi:dev::gke-serving::{type_}::{name}"
    return analyzer_pb2.AnalyzeRequest(type=type_, name=name, urn=urn, properties=properties)


def _stack(requests: list[Any]) -> Any:
    return analyzer_pb2.AnalyzeStackRequest(
        resources=[
            analyzer_pb2.AnalyzerResource(
                type=one.type, name=one.name, urn=one.urn, properties=one.properties
            )
            for one in requests
        ]
    )


def _timed(servicer: Any, requests: list[Any]) -> tuple[float, set[tuple[str, str]]]:
    """The seconds of a whole stack, and the rules that were reported for each resource."""
    started = time.perf_counter()
    responses = [servicer.Analyze(one, None) for one in requests]
    responses.append(servicer.AnalyzeStack(_stack(requests), None))
    seconds = time.perf_counter() - started
    found = {
        (one.policyName, one.urn or request.urn)
        for response, request in zip(responses, [*requests, requests[-1]], strict=True)
        for one in response.diagnostics
    }
    return seconds, found


def main() -> int:
    """Measure and print the figures; 1 when the target is missed or the findings differ."""
    parser = history.parser(__doc__)
    parser.add_argument("--models", type=int, default=MODELS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    history.check(chosen)
    requests = [_request(one) for number in range(chosen.models) for one in model(number)]
    rules = policies(RULES)
    level = EnforcementLevel.MANDATORY
    seconds: dict[str, list[float]] = {"SDK": [], "ours": []}
    found: dict[str, set[tuple[str, str]]] = {}
    for _ in range(chosen.rounds):
        for name, kind in (("SDK", _PolicyAnalyzerServicer), ("ours", Analyzer)):
            once, found[name] = _timed(kind(NAME, VERSION, rules, level), requests)
            seconds[name].append(once)
    print(f"{len(requests)} objects, {len(rules)} policies, {chosen.rounds} alternating rounds")
    for name, taken in seconds.items():
        median = statistics.median(taken)
        per_object = median / len(requests) * 1000
        print(f"{name:<5} {median:7.2f} s   {per_object:7.2f} ms an object")
    ratio = statistics.median(seconds["ours"]) / statistics.median(seconds["SDK"])
    print(f"ours / SDK {ratio:.3f}   (target {AGAINST_SDK})")
    if found["ours"] != found["SDK"]:
        print(f"the findings differ: {sorted(found['ours'] ^ found['SDK'])[:5]}", file=sys.stderr)
        return 1
    ours, theirs = (round(statistics.median(seconds[name]), 3) for name in ("ours", "SDK"))
    name = f"judging {len(requests)} objects"
    figure = Figure(figure=name, value=ours, unit="s", peer=theirs, against="the SDK's servicer")
    history.keep(chosen, "policy_servicers", [figure])
    return int(ratio > AGAINST_SDK)


if __name__ == "__main__":
    sys.exit(main())
