"""Objects that the kubernetes plugin applies a second: 200 models of 5 objects, 16 at a time.

`.venv/bin/python benchmarks/kubernetes_plugin.py` starts its own control plane (about 10 s) and a
plugin as the engine would, and calls it by gRPC, so that an object's whole path is measured. Awaits
are off, because they measure Kubernetes, and no pods run: replicas are 0.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from sandbox import engine
from sandbox.gcp.services.container.versions import CHANNELS
from sandbox.kubernetes.control_planes import ClusterKey, ControlPlanes, Endpoint
from sandbox.plugins.values import decode, encode
from sandbox.protocol import modules

provider_pb2, provider_pb2_grpc = modules("provider_pb2", "provider_pb2_grpc")
MODELS, WORKERS, TOKEN = 200, 16, "benchmark"
LEAST = 100  # server-side applies a second
CLUSTER = ClusterKey("acme-dev", "europe-west4", "benchmark")
Json = dict[str, Any]


def model(number: int) -> list[tuple[str, Json]]:
    """The objects that infra/serving declares for one model, as (type token, inputs)."""
    name = f"model-{number:03}"
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "pulumi"}
    metadata = {
        "name": name,
        "namespace": "models",
        "labels": labels,
        "annotations": {"pulumi.com/skipAwait": "true"},
    }
    probe = {"httpGet": {"path": f"/v1/models/{name}", "port": 8501}, "periodSeconds": 5}
    container = {
        "name": "server",
        "image": "tensorflow/serving:2.19.0",
        "args": [f"--model_name={name}", f"--model_base_path=gs://models/{name}"],
        "ports": [{"name": "rest", "containerPort": 8501}, {"name": "grpc", "containerPort": 8500}],
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        "startupProbe": {**probe, "failureThreshold": 60},
        "readinessProbe": probe,
        "livenessProbe": probe,
    }
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    bounds = {"minReplicas": 1, "maxReplicas": 10}
    ports = [{"name": "rest", "port": 8501}]
    return [
        ("kubernetes:core/v1:ConfigMap", {"metadata": metadata, "data": {"model": name}}),
        ("kubernetes:apps/v1:Deployment", {"metadata": metadata, "spec": spec}),
        (
            "kubernetes:core/v1:Service",
            {"metadata": metadata, "spec": {"selector": labels, "ports": ports}},
        ),
        (
            "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
            {
                "metadata": metadata,
                "spec": {
                    "scaleTargetRef": target,
                    **bounds,
                    "metrics": [{"type": "Resource", "resource": cpu}],
                },
            },
        ),
        (
            "kubernetes:policy/v1:PodDisruptionBudget",
            {
                "metadata": metadata,
                "spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels}},
            },
        ),
    ]


def measure(stub: Any) -> Json:
    """Objects a second for each operation on all objects, including checks."""
    objects = [
        (f"urn:pulumi:dev::benchmark::{token}::{news['metadata']['name']}", news)
        for number in range(MODELS)
        for token, news in model(number)
    ]

    def checked(urn: str, news: Json) -> Any:
        answer = stub.Check(provider_pb2.CheckRequest(urn=urn, news=encode(news)))
        assert not answer.failures, answer.failures
        return answer.inputs

    def create(entry: tuple[str, Json]) -> Any:
        urn, news = entry
        return stub.Create(provider_pb2.CreateRequest(urn=urn, properties=checked(urn, news)))

    def preview(entry: tuple[str, Json]) -> None:
        urn, news = entry
        inputs = checked(urn, news)
        stub.Create(provider_pb2.CreateRequest(urn=urn, properties=inputs, preview=True))

    made: dict[str, Any] = {}

    def make(entry: tuple[str, Json]) -> None:
        made[entry[0]] = create(entry)

    def diff(entry: tuple[str, Json]) -> None:
        urn, news = entry
        inputs = checked(urn, news)
        answer = stub.Diff(
            provider_pb2.DiffRequest(
                urn=urn, id=made[urn].id, olds=made[urn].properties, news=inputs, old_inputs=inputs
            )
        )
        assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE

    def update(entry: tuple[str, Json]) -> None:
        urn, news = entry
        old = checked(urn, news)
        labels = {**news["metadata"]["labels"], "release": "2"}
        new = checked(urn, {**news, "metadata": {**news["metadata"], "labels": labels}})
        stub.Update(
            provider_pb2.UpdateRequest(
                urn=urn, id=made[urn].id, olds=made[urn].properties, news=new, old_inputs=old
            )
        )

    def refresh(entry: tuple[str, Json]) -> None:
        urn, news = entry
        answer = stub.Read(
            provider_pb2.ReadRequest(
                urn=urn,
                id=made[urn].id,
                properties=made[urn].properties,
                inputs=checked(urn, news),
            )
        )
        assert decode(answer.properties)

    steps: dict[str, Callable[[tuple[str, Json]], None]] = {
        "preview of creates": preview,
        "creates": make,
        "diffs without a change": diff,
        "refreshes": refresh,
        "updates": update,
    }
    rates: Json = {}
    with ThreadPoolExecutor(WORKERS) as pool:
        for name, step in steps.items():
            begun = time.perf_counter()
            for _ in pool.map(step, objects):
                pass
            rates[name] = round(len(objects) / (time.perf_counter() - begun))
            print(f"{name:24} {rates[name]:6} a second")
    return rates


def kubeconfig(endpoint: Endpoint) -> str:
    """Contents of a kubeconfig."""
    server = f"https://{endpoint.address}"
    cluster = {"server": server, "certificate-authority-data": endpoint.ca_certificate}
    return json.dumps(
        {
            "current-context": "main",
            "clusters": [{"name": "main", "cluster": cluster}],
            "contexts": [{"name": "main", "context": {"cluster": "main", "user": "main"}}],
            "users": [{"name": "main", "user": {"token": TOKEN}}],
        }
    )


def with_plugin(endpoint: Endpoint) -> Json:
    """Start a plugin, measure it and end it."""
    begun = time.perf_counter()
    plugin = subprocess.Popen(
        [sys.executable, "-m", "sandbox.plugins.kubernetes"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )
    try:
        assert plugin.stdout is not None
        port = int(plugin.stdout.readline())
        print(f"{'plugin ready':24} {1000 * (time.perf_counter() - begun):6.0f} ms")
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            settings = encode({"kubeconfig": kubeconfig(endpoint)})
            stub.Configure(provider_pb2.ConfigureRequest(args=settings))
            urn = "urn:pulumi:dev::benchmark::kubernetes:core/v1:Namespace::models"
            space = encode({"metadata": {"name": "models"}})
            inputs = stub.Check(provider_pb2.CheckRequest(urn=urn, news=space)).inputs
            stub.Create(provider_pb2.CreateRequest(urn=urn, properties=inputs))
            return measure(stub)
    finally:
        plugin.terminate()
        plugin.wait()


async def run(tools: engine.Engine, home: Path) -> Json:
    """Measure against a control plane that is ended with this process."""
    planes = ControlPlanes(
        home,
        binaries=tools.binaries,
        token=TOKEN,
        modules=tools.modules,
        api=lambda: "http://127.0.0.1:9",
    )
    try:
        endpoint = await planes.create(CLUSTER, version=CHANNELS["REGULAR"].default)
        return await asyncio.to_thread(with_plugin, endpoint)
    finally:
        await planes.delete(CLUSTER)
        await planes.close()


def main() -> None:
    """Measure and print; fail below the target."""
    with tempfile.TemporaryDirectory() as home:
        rates = asyncio.run(run(engine.ensure(print), Path(home)))
    if rates["creates"] < LEAST:
        raise SystemExit(f"creates: {rates['creates']} a second, fewer than {LEAST}")


if __name__ == "__main__":
    main()
