"""The pack and Kubernetes' own Pod Security admission say the same of every pod.

The API server is asked by dry run, in namespaces that enforce a profile; of workloads, whose
templates it only warns about, it is the warning that counts.
"""

import asyncio
import copy
import json
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from policies.pack import Pack
from policies.pods import TEMPLATES
from policies.registry import RULES
from policies.subjects import Resource
from tests.policies.pod_generator import Json, ephemeral_containers, pods
from tests.sandbox.kubernetes.conftest_kubernetes import TOKEN, Sandbox, sandbox

__all__ = ["sandbox"]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kubernetes")]

PROFILES = ("baseline", "restricted")
LABEL = "pod-security.kubernetes.io"
AT_ONCE = 24


def _pack(*profiles: str) -> Pack:
    sources = {f"Pod Security Standards ({profile})" for profile in profiles}
    return Pack([rule for rule in RULES if rule.references[0].source in sources])


PACKS = {"baseline": _pack("baseline"), "restricted": _pack(*PROFILES)}


def denied_by_pack(profile: str, type_: str, props: Json) -> list[str]:
    found = PACKS[profile].judge(Resource(type_, props))
    return [f"{f.rule.id}: {f.verdict.value} {f.messages}" for f in found]


class Oracle:
    """The API server's opinion."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._port = int(sandbox.folder.load().ports["api"])
        self._ca = sandbox.folder.state / "pki" / "ca.crt"

    def ask(self, work: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(self._ca)
            async with httpx.AsyncClient(
                base_url=f"https://127.0.0.1:{self._port}",
                verify=context,
                trust_env=False,
                headers={"Authorization": f"Bearer {TOKEN}"},
                timeout=60,
                limits=httpx.Limits(max_connections=AT_ONCE),
            ) as client:
                return await work(client)

        return asyncio.run(run())

    def verdicts(self, requests: Iterable[tuple[str, str, Json]]) -> list[bool | None]:
        """Whether each request is denied or warned of; None where it is invalid besides."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(client: httpx.AsyncClient, verb: str, path: str, body: Json) -> bool | None:
            kind = {"PATCH": "application/strategic-merge-patch+json"}.get(verb, "application/json")
            async with gate:
                answer = await client.request(
                    verb,
                    path,
                    params={"dryRun": "All"},
                    content=json.dumps(body),
                    headers={"Content-Type": kind},
                )
            if answer.status_code in (200, 201):
                return "would violate PodSecurity" in answer.headers.get("Warning", "")
            if answer.status_code == 403 and "violates PodSecurity" in answer.text:
                return True
            assert answer.status_code in (400, 422), answer.text
            return None

        async def every(client: httpx.AsyncClient) -> list[bool | None]:
            return await asyncio.gather(*(one(client, *request) for request in requests))

        found: list[bool | None] = self.ask(every)
        return found


@pytest.fixture(scope="module")
def oracle(sandbox: Sandbox) -> Oracle:
    async def prepare(client: httpx.AsyncClient) -> None:
        for mode in ("enforce", "warn"):
            for profile in PROFILES:
                name = f"{mode}-{profile}"
                labels = {f"{LABEL}/{mode}": profile}
                body = {"metadata": {"name": name, "labels": labels}}
                answer = await client.post("/api/v1/namespaces", json=body)
                assert answer.status_code == 201, answer.text
                account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
                while (await client.get(account)).status_code != 200:
                    await asyncio.sleep(0.05)

    found = Oracle(sandbox)
    found.ask(prepare)
    return found


def generated(strategy: st.SearchStrategy[Json], count: int) -> list[Json]:
    """That many different examples, the same in every run."""
    examples: dict[str, Json] = {}

    @settings(
        max_examples=count,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example: Json) -> None:
        examples.setdefault(json.dumps(example, sort_keys=True), copy.deepcopy(example))

    collect()
    return list(examples.values())


def compare(
    profile: str,
    judged: list[tuple[str, Json]],
    verdicts: list[bool | None],
    *,
    at_least: int,
) -> None:
    """Every verdict is the same, and there are enough of both."""
    seen: Counter[bool] = Counter()
    different = []
    for (type_, props), denied in zip(judged, verdicts, strict=True):
        if denied is None:
            continue
        seen[denied] += 1
        ours = denied_by_pack(profile, type_, props)
        if bool(ours) != denied:
            different.append(f"{profile}: the API server denies: {denied}; we: {ours}\n{props}")
    assert not different, f"{len(different)} of {sum(seen.values())}\n" + "\n".join(different[:5])
    assert min(seen[True], seen[False]) > sum(seen.values()) // 10, seen
    assert sum(seen.values()) >= at_least, seen


@pytest.fixture(scope="module")
def examples() -> list[Json]:
    return generated(pods(), 4600)


@pytest.mark.parametrize("profile", PROFILES)
def test_pods_are_denied_alike(oracle: Oracle, examples: list[Json], profile: str) -> None:
    path = f"/api/v1/namespaces/enforce-{profile}/pods"
    verdicts = oracle.verdicts(("POST", path, pod) for pod in examples)
    judged = [("kubernetes:core/v1:Pod", pod) for pod in examples]
    compare(profile, judged, verdicts, at_least=2000)


WORKLOADS = {
    ("core", "PodTemplate"): "/api/v1/namespaces/{}/podtemplates",
    ("core", "ReplicationController"): "/api/v1/namespaces/{}/replicationcontrollers",
    ("apps", "Deployment"): "/apis/apps/v1/namespaces/{}/deployments",
    ("apps", "ReplicaSet"): "/apis/apps/v1/namespaces/{}/replicasets",
    ("apps", "StatefulSet"): "/apis/apps/v1/namespaces/{}/statefulsets",
    ("apps", "DaemonSet"): "/apis/apps/v1/namespaces/{}/daemonsets",
    ("batch", "Job"): "/apis/batch/v1/namespaces/{}/jobs",
    ("batch", "CronJob"): "/apis/batch/v1/namespaces/{}/cronjobs",
}


def workload(kind: tuple[str, str], pod: Json) -> Json:
    """The pod as the template of a workload."""
    template = copy.deepcopy(pod)
    del template["metadata"]["name"]
    spec: Json = {}
    if kind[0] == "batch":
        template["spec"]["restartPolicy"] = "Never"
    elif kind[1] != "PodTemplate":
        template["metadata"]["labels"] = {"app": "a"}
        is_old = kind[1] == "ReplicationController"
        spec["selector"] = {"app": "a"} if is_old else {"matchLabels": {"app": "a"}}
    if kind[1] == "StatefulSet":
        spec["serviceName"] = "a"
    whole: Json = {"metadata": {"name": "a"}, "spec": spec}
    if kind[1] == "PodTemplate":
        del whole["spec"]
    if kind[1] == "CronJob":
        spec["schedule"] = "0 * * * *"
    *way, last = TEMPLATES[kind]
    holder = whole
    for key in way:
        holder = holder.setdefault(key, {})
    holder[last] = template
    return whole


@pytest.mark.parametrize("profile", PROFILES)
def test_templates_of_workloads_are_warned_of_alike(
    oracle: Oracle, examples: list[Json], profile: str
) -> None:
    assert set(WORKLOADS) == {k for k in TEMPLATES if k[0] != "extensions"} - {("core", "Pod")}
    kinds = list(WORKLOADS)
    chosen = [(kinds[i % len(kinds)], pod) for i, pod in enumerate(examples[:1000])]
    made = [(kind, workload(kind, pod)) for kind, pod in chosen]
    requests = [("POST", WORKLOADS[kind].format(f"warn-{profile}"), body) for kind, body in made]
    judged = [(f"kubernetes:{group}/v1:{name}", body) for (group, name), body in made]
    compare(profile, judged, oracle.verdicts(requests), at_least=600)


@pytest.mark.parametrize("profile", PROFILES)
def test_ephemeral_containers_are_denied_alike(oracle: Oracle, profile: str) -> None:
    base: Json = {
        "metadata": {"name": "runs"},
        "spec": {
            "securityContext": {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "c0",
                    "image": "registry.example/server:1",
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }
    path = f"/api/v1/namespaces/enforce-{profile}/pods"

    async def create(client: httpx.AsyncClient) -> None:
        answer = await client.post(path, json=base)
        assert answer.status_code == 201, answer.text

    oracle.ask(create)
    added = generated(ephemeral_containers(), 400)
    patched = [{"spec": {"ephemeralContainers": [container]}} for container in added]
    verdicts = oracle.verdicts(
        ("PATCH", f"{path}/runs/ephemeralcontainers", body) for body in patched
    )
    judged = [
        ("kubernetes:core/v1:Pod", {**base, "spec": {**base["spec"], **body["spec"]}})
        for body in patched
    ]
    compare(profile, judged, verdicts, at_least=100)
