"""The objects of an inference gateway: a Gateway, a pool of vLLM servers, its endpoint picker."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
NAMESPACE = "models"
CORE = f"/api/v1/namespaces/{NAMESPACE}"
APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
RBAC = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}"
GATEWAY_API = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}"
POOLS = f"/apis/inference.networking.k8s.io/v1/namespaces/{NAMESPACE}/inferencepools"
GKE = f"/apis/networking.gke.io/v1/namespaces/{NAMESPACE}"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
VERSION = "v1.5.0"
_PLUGINS = """
apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: queue-scorer
- type: kv-cache-utilization-scorer
- type: prefix-cache-scorer
- type: metrics-data-source
- type: core-metrics-extractor
- type: max-score-picker
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: queue-scorer
    weight: 2
  - pluginRef: kv-cache-utilization-scorer
    weight: 2
  - pluginRef: prefix-cache-scorer
    weight: 3
  - pluginRef: max-score-picker
data:
  sources:
  - pluginRef: metrics-data-source
    extractors:
    - pluginRef: core-metrics-extractor
"""


def server(name: str, replicas: int) -> Json:
    """A Deployment of vLLM servers; its pods have the label `app`."""
    container = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.33.0",
        "command": ["vllm", "serve"],
        "args": ["/models/chat", f"--served-model-name={name}", "--port=8000"],
        "ports": [{"name": "http", "containerPort": 8000}],
        "resources": {"requests": {"cpu": "100m"}},
    }
    return _deployment(name, replicas, {"containers": [container]})


def _deployment(name: str, replicas: int, spec: Json) -> Json:
    labels = {"app": name}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def pool(name: str, *, mode: str = "FailOpen") -> Json:
    """The pool of the pods of `server`, and the picker of `picker`."""
    return {
        "apiVersion": "inference.networking.k8s.io/v1",
        "kind": "InferencePool",
        "metadata": {"name": name},
        "spec": {
            "targetPorts": [{"number": 8000}],
            "selector": {"matchLabels": {"app": name}},
            "endpointPickerRef": {
                "name": f"{name}-epp",
                "port": {"number": 9002},
                "failureMode": mode,
            },
        },
    }


def picker(pool_name: str) -> list[tuple[str, Json]]:
    """Collection and body of everything that an endpoint picker needs."""
    name = f"{pool_name}-epp"
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
        {
            "apiGroups": ["inference.networking.k8s.io"],
            "resources": ["inferencepools"],
            "verbs": ["get", "list", "watch"],
        },
        {
            "apiGroups": ["inference.networking.x-k8s.io"],
            "resources": ["inferenceobjectives", "inferencemodelrewrites"],
            "verbs": ["get", "list", "watch"],
        },
    ]
    container = {
        "name": "epp",
        "image": f"registry.k8s.io/gateway-api-inference-extension/epp:{VERSION}",
        "args": [
            "--pool-name",
            pool_name,
            "--pool-namespace",
            NAMESPACE,
            "--config-file",
            "/config/plugins.yaml",
            "--metrics-endpoint-auth=false",
            "--v=1",
        ],
        "ports": [
            {"name": "grpc", "containerPort": 9002},
            {"name": "grpc-health", "containerPort": 9003},
            {"name": "metrics", "containerPort": 9090},
        ],
        "env": [
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "volumeMounts": [{"name": "plugins", "mountPath": "/config"}],
        "resources": {"requests": {"cpu": "100m"}},
    }
    volume = {"name": "plugins", "configMap": {"name": name}}
    spec = {"serviceAccountName": name, "containers": [container], "volumes": [volume]}
    account = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    port = {"name": "grpc", "port": 9002, "targetPort": 9002, "appProtocol": "http2"}
    metadata = {"name": name}
    return [
        (f"{CORE}/serviceaccounts", {"metadata": metadata}),
        (f"{RBAC}/roles", {"metadata": metadata, "rules": rules}),
        (
            f"{RBAC}/rolebindings",
            {"metadata": metadata, "subjects": [account], "roleRef": role},
        ),
        (f"{CORE}/configmaps", {"metadata": metadata, "data": {"plugins.yaml": _PLUGINS}}),
        (
            f"{CORE}/services",
            {"metadata": metadata, "spec": {"selector": {"app": name}, "ports": [port]}},
        ),
        (APPS, _deployment(name, 1, spec)),
    ]


def gateway(name: str = "inference", kind: str = "gke-l7-regional-external-managed") -> Json:
    """A Gateway with an address of its own."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name},
        "spec": {
            "gatewayClassName": kind,
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
        },
    }


def route(name: str, *pools: tuple[str, int], to: str = "inference", **match: Any) -> Json:
    """A route to pools by weight."""
    references = [
        {
            "group": "inference.networking.k8s.io",
            "kind": "InferencePool",
            "name": one,
            "weight": weight,
        }
        for one, weight in pools
    ]
    path = {"path": {"type": "PathPrefix", "value": "/"}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {
            "parentRefs": [{"name": to}],
            "rules": [{"matches": [path | match], "backendRefs": references}],
        },
    }
