"""Two language models for callers with keys behind the Inference Gateway. Not a test.

A request passes the load balancer, the body-based router, the model's gateway, and then the
endpoint picker that the gateway asks. All of these are the real programs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

from tests.rehearsal import callers
from tests.rehearsal.callers import Asking
from tests.rehearsal.language_models import L4, on_l4
from tests.rehearsal.watching import is_ready
from tests.rehearsal.workspace import ROOT, Workspace

Json = dict[str, Any]
NAME, PROJECT, HOST = "tiny", "acme-ml-tiny", "llm.tiny.acme.example"
TALK, CODE = "talk", "code"
"""One that has adapters, and one with a canary that has no pods without requests."""
ADAPTER, OTHER = "support", "sql"
PACE = "sandbox/latency-milliseconds"
_WAITING = {"kind": "pod", "name": "vllm:num_requests_waiting", "average": "4"}
_STAYS = 3600
"""Seconds without requests after which pods that requests have started end."""
_ALLOWED = (("web", [TALK, CODE], 100_000), ("batch", [TALK], None), ("other", [CODE], None))
"""Name, models and requests per minute of each caller."""
_WAIVED = (
    # The pickers ask the API server, and KEDA looks for what it scales; an environment that has
    # them waives this.
    "pods-mount-no-token-without-need",
    "roles-name-what-they-grant",
    "roles-do-not-read-all-secrets",
)


def environment() -> Json:
    """The smallest one with both models on a host."""
    content: Json = yaml.safe_load((ROOT / "tests" / "smallest.yaml").read_text())
    values = content["config"]
    values["gke-cluster:network"]["proxies_cidr"] = "10.250.0.0/23"
    values["gke-cluster:cluster"]["secret_sync"] = True
    values["gke-cluster:node_pools"][0]["max_nodes"] = 4
    values["gke-cluster:node_pools"].append(
        {"name": "gpu", "machine_type": "g2-standard-8", "accelerator": L4, "max_nodes": 6}
    )
    values["gke-policies:levels"] = dict.fromkeys(_WAIVED, "advisory")
    values["gke-serving:models"] = list(_models())
    values["gke-serving:callers"] = {
        "failure": "close",
        "allowed": [
            {
                "name": name,
                "models": models,
                "keys": callers.keys(name),
                **({"requests_per_minute": requests} if requests else {}),
                **({"tokens_per_minute": callers.TOKENS} if name == "batch" else {}),
            }
            for name, models, requests in _ALLOWED
        ],
    }
    return content


def _models() -> Iterator[Json]:
    bucket = f"gs://{PROJECT}-models"
    exposure = {"kind": "inference-gateway", "hosts": [HOST], "timeout_seconds": 20}
    yield {
        **on_l4(TALK, PROJECT, {**exposure, "failure": "open"}),
        "replicas": {"min": 2, "max": 2},
        "adapters": [{"name": one, "source": f"{bucket}/{one}"} for one in (ADAPTER, OTHER)],
        "lora": {"max_loras": 1},
        "rollout": {"max_surge": 2},
    }
    yield {
        **on_l4(CODE, PROJECT, {**exposure, "failure": "close"}),
        "replicas": {"min": 0, "max": 1},
        "autoscaling": {"metrics": [_WAITING], "scale_to_zero_after_seconds": _STAYS},
        "canary": {
            "weights": {"stable": 50, "canary": 50},
            "source": f"{bucket}/code-next",
            "replicas": {"min": 1, "max": 1},
        },
    }


class Pooled(Asking):
    """Requests to both models of a rehearsed environment, and a look at their pods."""

    def __init__(self, workspace: Workspace) -> None:
        file = workspace.root / "stacks" / f"Pulumi.{NAME}.yaml"
        file.write_text(yaml.safe_dump(environment()))
        callers.make_keys(workspace, PROJECT)
        super().__init__(workspace, workspace.rehearse(NAME), TALK)

    def ask(self, key: str | None, model: str, prompt: str = "a b c", **more: Any) -> Any:
        """The answer to a prompt."""
        messages = [{"role": "user", "content": prompt}]
        return self(key, {"model": model, "messages": messages, "max_tokens": 12, **more})

    def served_by(self, model: str, prompt: str = "a b c") -> str:
        """The pod that answers a prompt."""
        answer = self.ask("web", model, prompt)
        assert answer.status_code == 200, answer.text
        return str(answer.headers["x-served-by-pod"])

    def statuses(self, model: str, times: int) -> set[int]:
        """The statuses of the answers to some prompts."""
        return {self.ask("web", model).status_code for _ in range(times)}

    def servers(self, model: str) -> list[Json]:
        """The pods of a model that are there to stay."""
        found: list[Json] = self.objects("pods", "-l", f"app.kubernetes.io/name={model}")["items"]
        return [one for one in found if "deletionTimestamp" not in one["metadata"]]

    def ready(self, model: str) -> set[str]:
        """The names of those that are ready."""
        return {one["metadata"]["name"] for one in self.servers(model) if is_ready(one)}

    def objects(self, *words: str) -> Any:
        """Objects of the models' namespace."""
        return self.workspace.kubernetes_of(self.environment, "-n", "models", *words)

    def kubectl(self, *words: str) -> str:
        """Change something in the models' namespace."""
        context = self.workspace.context_of(self.environment)
        return self.workspace.kubectl("--context", context, "-n", "models", *words)

    def pace(self, model: str, seconds: float | None) -> None:
        """How long the answers of the pods that there are take; None: as usual."""
        told = f"{PACE}-" if seconds is None else f"{PACE}={seconds * 1000:.0f}"
        chosen = ("-l", f"app.kubernetes.io/name={model}")
        self.kubectl("annotate", "pods", *chosen, "--overwrite", told)

    def health(self, part: str) -> set[str]:
        """What the load balancer's checks have found of a backend service, by a part of its name.

        GKE names it by the namespace, and by the Service as far as there is room.
        """
        services = f"projects/{PROJECT}/regions/europe-west4/backendServices"
        (found,) = (
            one
            for one in self.workspace.google("compute", services)["items"]
            if f"-models-{part}-" in one["name"]
        )
        path = f"{services}/{found['name']}/getHealth"
        answers = [
            self.workspace.google("compute", path, "POST", json={"group": one["group"]})
            for one in found["backends"]
        ]
        return {one["healthState"] for answer in answers for one in answer.get("healthStatus", ())}

    def told_by_keda(self) -> str:
        """What KEDA says of the model that it starts, and the end of its log."""
        status = self.objects("scaledobject", CODE).get("status")
        logs = sorted(self.workspace.home.glob("clusters/*/**/logs/keda*.log"))
        ends = [f"{one.name}: {one.read_text()[-2000:]}" for one in logs]
        return "\n".join([json.dumps(status), *ends])
