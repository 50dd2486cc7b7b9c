"""Models under drains and load, on the real API server with its real controllers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.rehearsal.watching import NAME, is_ready, ready_pods, until
from tests.rehearsal.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]
ZONE = "topology.kubernetes.io/zone"


def pods(dev: Workspace, model: str, namespace: str = "models") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dev.kubernetes("pods", "-n", namespace, "-l", f"{NAME}={model}")[
        "items"
    ]
    return found


def ready(dev: Workspace, model: str) -> list[dict[str, Any]]:
    """The model's ready pods, without those that are ending."""
    return [pod for pod in pods(dev, model) if is_ready(pod)]


def settled(dev: Workspace) -> None:
    for name in dev.kubectl("get", "deployments", "-n", "models", "-o", "name").split():
        dev.kubectl("rollout", "status", "-n", "models", name, "--timeout=300s")


def test_a_highly_available_model_has_an_address_and_a_replica_in_every_zone(
    dev: Workspace,
) -> None:
    service = dev.kubernetes("service", "mobilenet", "-n", "models")
    (port,) = service["spec"]["ports"]
    until(lambda: len(ready(dev, "mobilenet")) == 3, "three replicas are ready")
    running = ready(dev, "mobilenet")
    listening = {
        p["name"]: p["containerPort"] for p in running[0]["spec"]["containers"][0]["ports"]
    }
    assert (port["port"], listening[port["targetPort"]]) == (80, 8501)
    (ingress,) = service["status"]["loadBalancer"]["ingress"]
    outputs = json.loads(
        dev.run("pulumi", "stack", "output", "--json", "-s", "dev", layer="serving").stdout
    )
    urls = {model["name"]: model["url"] for model in outputs["models"]}
    assert urls["mobilenet"] == f"http://{ingress['ip']}/v1/models/mobilenet"
    nodes = {
        n["metadata"]["name"]: n["metadata"]["labels"] for n in dev.kubernetes("nodes")["items"]
    }
    places = Counter(nodes[pod["spec"]["nodeName"]][ZONE] for pod in running)
    assert sum(places.values()) == 3
    assert set(places) == {labels[ZONE] for labels in nodes.values()}
    assert max(places.values()) - min(places.values()) <= 1


def test_draining_each_node_in_turn_keeps_every_model_within_its_budget(dev: Workspace) -> None:
    settled(dev)
    budgets = {
        budget["metadata"]["name"]: budget["status"]["desiredHealthy"]
        for budget in dev.kubernetes("pdb", "-n", "models")["items"]
    }
    assert budgets["mobilenet"] == 2
    nodes = [node["metadata"]["name"] for node in dev.kubernetes("nodes")["items"]]
    with ready_pods(dev, "models") as seen:
        for node in nodes:
            try:
                dev.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data",
                            "--timeout=300s")  # fmt: skip
                left = dev.kubernetes(
                    "pods", "-n", "models", f"--field-selector=spec.nodeName={node}"
                )
                assert left["items"] == []
            finally:
                dev.kubectl("uncordon", node)
            settled(dev)
        fewest = dict(seen.fewest)
    assert {model: count for model, count in fewest.items() if count < budgets[model]} == {}
    # Guard: the drains did evict pods.
    assert fewest["mobilenet"] == 2


def test_an_eviction_beyond_the_budget_is_answered_429(dev: Workspace) -> None:
    settled(dev)

    def allowed() -> int:
        budget = dev.kubernetes("pdb", "mobilenet", "-n", "models")
        return int(budget["status"]["disruptionsAllowed"])

    until(lambda: allowed() == 1, "the budget counts every replica")
    nodes = [node["metadata"]["name"] for node in dev.kubernetes("nodes")["items"]]
    dev.kubectl("cordon", *nodes)
    try:
        running = [pod["metadata"]["name"] for pod in ready(dev, "mobilenet")]
        # Two at once: the autoscaler soon adds a schedulable node, which allows a third eviction.
        answers = [dev.evict("models", name) for name in running[:2]]
    finally:
        dev.kubectl("uncordon", *nodes)
    assert '"status":"Success"' in answers[0]
    assert "TooManyRequests" in answers[1], answers
    settled(dev)


@contextmanager
def load(dev: Workspace, model: str, **usage: str) -> Iterator[None]:
    """Within the context, one pod of the model has the given usage."""
    busy = ready(dev, model)[0]["metadata"]["name"]
    told = [f"kwok.x-k8s.io/usage-{kind}={amount}" for kind, amount in usage.items()]
    dev.kubectl("annotate", "pod", "-n", "models", busy, "--overwrite", *told)
    try:
        yield
    finally:
        over = [f"kwok.x-k8s.io/usage-{kind}-" for kind in usage]
        dev.kubectl("annotate", "pod", "-n", "models", "-l", f"{NAME}={model}", *over)


def replicas(dev: Workspace, model: str, namespace: str = "models") -> int:
    status = dev.kubernetes("deployment", model, "-n", namespace)["status"]
    return int(status.get("availableReplicas", 0))


def test_models_scale_to_their_maximum_under_load_and_back_to_their_minimum(
    dev: Workspace,
) -> None:
    """Two models at once, to save time: one scales by CPU, one by memory."""
    bounds = {
        model: dev.kubernetes("hpa", model, "-n", "models")["spec"]
        for model in ("recommender", "embeddings")
    }
    floors = {model: spec["minReplicas"] for model, spec in bounds.items()}
    ceilings = {model: spec["maxReplicas"] for model, spec in bounds.items()}
    assert (floors["recommender"], ceilings["recommender"]) == (1, 10)

    def running() -> dict[str, int]:
        return {model: replicas(dev, model) for model in bounds}

    def limited() -> set[str]:
        scalers = [dev.kubernetes("hpa", model, "-n", "models") for model in bounds]
        conditions = [one for scaler in scalers for one in scaler["status"]["conditions"]]
        return {one["reason"] for one in conditions if one["type"] == "ScalingLimited"}

    until(lambda: running() == floors, "both are at rest")
    # 4 cores need 32 replicas of 250m at 50 %; 30Gi need 20 replicas of 2Gi at 75 %.
    with load(dev, "recommender", cpu="4"), load(dev, "embeddings", memory="30Gi"):
        until(lambda: running() == ceilings, f"both are at {ceilings}")
        until(lambda: limited() == {"TooManyReplicas"}, "neither may grow further")
    until(lambda: running() == floors, f"both are back at {floors}")


def test_gauges_are_collected_where_a_server_has_any(dev: Workspace) -> None:
    spec = dev.kubernetes("podmonitoring", "segmenter", "-n", "vision")["spec"]
    assert spec["endpoints"][0]["port"] == 8002
    assert spec["selector"]["matchLabels"][NAME] == "segmenter"


def vision_pod(*containers: dict[str, str] | None) -> str:
    """A pod that Pod Security admits, with a container for each of the requests."""
    quiet = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "visitor", "namespace": "vision"},
            "spec": {
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65534,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": f"c{index}",
                        "image": "registry.example/visitor:1",
                        "securityContext": quiet,
                        **({"resources": {"requests": asked, "limits": asked}} if asked else {}),
                    }
                    for index, asked in enumerate(containers)
                ],
            },
        }
    )


def admitted(dev: Workspace, manifest: str) -> tuple[int, str]:
    """The answer of the API server's admission to a dry run."""
    path = dev.home / "visitor.json"
    path.write_text(manifest)
    command = ["kubectl", "create", "-f", str(path), "--dry-run=server", "-o", "json"]
    done = dev.run(*command, check=False)
    return done.returncode, done.stdout + done.stderr


LARGE = {"cpu": "4", "memory": "1Gi"}
# Each asks for more than the whole quota: after a drain the quota's controller may count the
# team's own pod up to five minutes late.
REFUSED: dict[str, tuple[list[dict[str, str]], str]] = {
    "over the quota's cores": ([LARGE] * 3, "exceeded quota: team, requested: requests.cpu=12"),
    "over the quota's memory": (
        [{"cpu": "1", "memory": "15Gi"}] * 3,
        "exceeded quota: team, requested: requests.memory=45Gi",
    ),
    "GPUs of which it has none": (
        [LARGE | {"nvidia.com/gpu": "1"}],
        "exceeded quota: team, requested: requests.nvidia.com/gpu=1",
    ),
    "a container above the limits": (
        [{"cpu": "5", "memory": "1Gi"}],
        "maximum cpu usage per Container is 4",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_teams_namespace_refuses_pods(dev: Workspace, case: str) -> None:
    containers, said = REFUSED[case]
    code, text = admitted(dev, vision_pod(*containers))
    assert code != 0
    assert "forbidden" in text
    assert said in text


def test_a_container_without_resources_gets_the_teams_defaults(dev: Workspace) -> None:
    code, text = admitted(dev, vision_pod(None))
    assert code == 0, text
    (container,) = json.loads(text)["spec"]["containers"]
    assert container["resources"]["requests"] == {"cpu": "250m", "memory": "256Mi"}


def test_every_model_server_has_a_network_policy(dev: Workspace) -> None:
    policy = dev.kubernetes("networkpolicy", "models", "-n", "models")["spec"]
    chosen = policy["podSelector"]["matchLabels"].items()
    running = dev.kubernetes("pods", "-n", "models", "-l", NAME)["items"]
    servers = [p for p in running if p["spec"]["serviceAccountName"] == "model-server"]
    assert servers
    assert all(pod["metadata"]["labels"].items() >= chosen for pod in servers)


def test_a_teams_pods_refuse_other_namespaces(dev: Workspace) -> None:
    """Only that the policy selects the pods: simulated nodes have no network."""
    policy = dev.kubernetes("networkpolicy", "team", "-n", "vision")["spec"]
    assert policy["podSelector"] == {}
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    allowed = json.dumps(policy["ingress"])
    assert "gmp-system" in allowed
    assert '"models"' not in allowed

    def phases() -> list[str]:
        return [pod["status"]["phase"] for pod in pods(dev, "segmenter", "vision")]

    until(lambda: phases() == ["Running"], "the team's pod runs alone")
