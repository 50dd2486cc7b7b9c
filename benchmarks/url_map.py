"""The time for the URL map of 500 models: reading the catalog, planning, declaring, judging.

`.venv/bin/python -m benchmarks.url_map`. Nothing is deployed: the map is declared against mocks, as
the program does it, and judged by the emulated API as an insert is. Backend services are not
declared; the mocks know their links.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pulumi

from benchmarks import history
from benchmarks.history import Figure
from declared import declare
from gkeplatform.contracts import ClusterContract, SecretText, ServedModel
from gkeplatform.environment import Environment
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.networking.frontend import Frontend
from infra.networking.url_map.expectations import cases
from infra.networking.url_map.matchers import matchers
from infra.networking.url_map.versions import versions
from infra.serving.config import ServingConfig
from infra.serving.contract import served
from infra.serving.exposures.endpoint_groups import GroupNames
from sandbox.gcp.services.compute import url_map_limits, url_maps

MODELS, ROUNDS, TARGET = 500, 5, 1.0
PROJECT = "acme-ml-dev"
LINK = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global/"
ENVIRONMENT = Environment(
    system="acme-ml", name="dev", project=PROJECT, region="europe-west4", labels={}
)
URL_MAP = "gcp:compute/uRLMap:URLMap"


def entries(count: int) -> list[dict[str, Any]]:
    """A catalog: every hundredth model has its own host, every twentieth a canary."""
    found = []
    for number in range(count):
        name = f"model-{number:03}"
        exposure: dict[str, Any] = {
            "kind": "http-load-balancer",
            "paths": [f"/v1/models/{name}"],
        }
        entry: dict[str, Any] = {
            "name": name,
            "server": "tensorflow-serving",
            "source": f"gs://acme-ml-dev-models/{name}",
            "replicas": {"min": 1, "max": 1},
            "resources": {
                "requests": {"cpu": "500m", "memory": "1Gi"},
                "limits": {"cpu": "1", "memory": "1Gi"},
            },
            "exposure": exposure,
        }
        if number % 100 == 99:
            exposure["hosts"] = [f"{name}.acme.example"]
        if number % 20 == 0:
            entry["canary"] = {
                "weights": {"stable": 95, "canary": 5},
                "source": f"gs://acme-ml-dev-models/{name}-next",
            }
        found.append(entry)
    return found


def catalog(count: int) -> ServingConfig:
    """The catalog as the layers read and check it."""
    return msgspec.convert({"models": entries(count)}, ServingConfig)


def models(config: ServingConfig) -> tuple[ServedModel, ...]:
    """The models that serving publishes."""
    cluster = ClusterContract(
        name="main",
        location="europe-west4",
        zones=("europe-west4-a",),
        kubeconfig=SecretText("{}"),
        network="network",
        workload_pool="p.svc.id.goog",
        node_pools=(),
        node_tag="node",
        instance_groups=(),
    )
    names = GroupNames(naming=Naming(ENVIRONMENT), cluster="main")
    return tuple(served(config, {}, cluster=cluster, names=names))


def declared(routed: tuple[ServedModel, ...]) -> dict[str, Any]:
    """The URL map as it is declared to the engine."""

    def program() -> None:
        links = {
            one.name: pulumi.Output.from_input(f"{LINK}backendServices/acme-ml-dev-{one.name}")
            for one in versions(routed)
        }
        Frontend(
            "models",
            matchers(routed),
            backends=links,
            default=pulumi.Output.from_input(f"{LINK}backendBuckets/acme-ml-dev-static"),
            redirect_to_https=False,
            naming=Naming(ENVIRONMENT),
            labels=Labels(ENVIRONMENT, "networking"),
        )

    return dict(declare(program).inputs[URL_MAP, "models"])


def judged(document: dict[str, Any]) -> None:
    """The emulated API's objections, including failed tests."""
    problems = [
        *url_maps.problems(document),
        *url_map_limits.problems(document, is_classic=False),
        *url_maps.test_failures(document, PROJECT),
    ]
    if problems:
        sys.exit(f"the URL map is refused: {problems[0]}")


def timed(step: Callable[[], Any], rounds: int) -> tuple[Any, float]:
    """A step's result and its median time."""
    taken, answer = [], None
    for _ in range(rounds):
        started = time.perf_counter()
        answer = step()
        taken.append(time.perf_counter() - started)
    return answer, statistics.median(taken)


def main() -> int:
    """Measure and print the figures; 1 when the target is missed."""
    parser = history.parser(__doc__)
    parser.add_argument("--models", type=int, default=MODELS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    history.check(chosen)
    config, reading = timed(lambda: catalog(chosen.models), chosen.rounds)
    routed, publishing = timed(lambda: models(config), chosen.rounds)
    planned, planning = timed(lambda: matchers(routed), chosen.rounds)
    _, testing = timed(lambda: cases(planned), chosen.rounds)
    document, declaring = timed(lambda: declared(routed), chosen.rounds)
    _, judging = timed(lambda: judged(document), chosen.rounds)
    size = len(json.dumps(document))
    print(f"{chosen.models} models, {len(planned)} matchers, {size / 1000:.0f} kB of JSON")
    for name, seconds in {
        "read and check the catalog": reading,
        "publish it": publishing,
        "plan the map": planning,
        "plan its tests": testing,
        "plan and declare it": declaring,
        "judge it (emulated API)": judging,
    }.items():
        print(f"{name:<30} {seconds:6.3f} s")
    print(f"the map built: {publishing + declaring:.2f} s (target {TARGET})")
    name, built = f"URL map of {chosen.models} models built", publishing + declaring
    history.keep(chosen, "url_map", [Figure(figure=name, value=built, unit="s", peer=TARGET)])
    return int(publishing + declaring > TARGET)


if __name__ == "__main__":
    sys.exit(main())
