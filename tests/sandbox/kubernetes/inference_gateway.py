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
dataLayer:
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
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "verbs": ["get", "list", "watch", "create", "update", "patch"],
        },
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
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
            "--ha-enable-leader-election",
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
        "readinessProbe": {"grpc": {"port": 9003, "service": "readiness"}},
        "resources": {"requests": {"cpu": "100m"}},
    }
    volume = {"name": "plugins", "configMap": {"name": name}}
    spec = {"serviceAccountName": name, "containers": [container], "volumes": [volume]}
    return [
        *_identity(name, rules),
        (
            f"{CORE}/configmaps",
            {"metadata": {"name": name}, "data": {"plugins.yaml": _PLUGINS}},
        ),
        (f"{CORE}/services", _service(name, 9002)),
        (APPS, _deployment(name, 2, spec)),
    ]


def health(pool_name: str) -> Json:
    """The health check of a pool: vLLM has nothing at `/`."""
    http = {"requestPath": "/health"}
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": "HealthCheckPolicy",
        "metadata": {"name": pool_name},
        "spec": {
            "default": {
                "checkIntervalSec": 1,
                "timeoutSec": 1,
                "config": {"type": "HTTP", "httpHealthCheck": http},
            },
            "targetRef": {
                "group": "inference.networking.k8s.io",
                "kind": "InferencePool",
                "name": pool_name,
            },
        },
    }


def draining(pool_name: str, seconds: int) -> Json:
    """The policy by which streams of a pool's pods may end when the pods leave."""
    return backend_policy(pool_name, connectionDraining={"drainingTimeoutSec": seconds})


def backend_policy(pool_name: str, **default: Any) -> Json:
    """What the backend service of a pool has."""
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": "GCPBackendPolicy",
        "metadata": {"name": pool_name},
        "spec": {
            "default": default,
            "targetRef": {
                "group": "inference.networking.k8s.io",
                "kind": "InferencePool",
                "name": pool_name,
            },
        },
    }


def router() -> list[tuple[str, Json]]:
    """Collection and body of everything that a body-based router of the Gateway needs."""
    name = "bbr"
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]
    container = {
        "name": "bbr",
        "image": f"registry.k8s.io/gateway-api-inference-extension/bbr:{VERSION}",
        "args": ["--streaming", "--metrics-endpoint-auth=false"],
        "ports": [{"containerPort": 9004}, {"containerPort": 9005}],
        "env": [
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}
        ],
        "resources": {"requests": {"cpu": "100m"}},
    }
    extension = {
        "name": "models",
        "authority": "models.example",
        "timeout": "1s",
        "supportedEvents": ["RequestHeaders", "RequestBody", "RequestTrailers"],
        "requestBodySendMode": "FullDuplexStreamed",
        "backendRef": {"group": "", "kind": "Service", "name": name, "port": 9004},
    }
    target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "inference"}
    chain = {"name": "models", "extensions": [extension]}
    return [
        *_identity(name, rules),
        (f"{CORE}/services", _service(name, 9004)),
        (APPS, _deployment(name, 1, {"serviceAccountName": name, "containers": [container]})),
        (
            f"{GKE}/gcproutingextensions",
            {
                "apiVersion": "networking.gke.io/v1",
                "kind": "GCPRoutingExtension",
                "metadata": {"name": name},
                "spec": {"targetRefs": [target], "extensionChains": [chain]},
            },
        ),
    ]


def _identity(name: str, rules: list[Json]) -> list[tuple[str, Json]]:
    account = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    metadata = {"name": name}
    return [
        (f"{CORE}/serviceaccounts", {"metadata": metadata}),
        (f"{RBAC}/roles", {"metadata": metadata, "rules": rules}),
        (f"{RBAC}/rolebindings", {"metadata": metadata, "subjects": [account], "roleRef": role}),
    ]


def _service(name: str, port: int) -> Json:
    ports = [{"name": "grpc", "port": port, "targetPort": port, "appProtocol": "http2"}]
    return {"metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": ports}}


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


def route(
    name: str, *pools: tuple[str, int], to: str = "inference", host: str = "", model: str = ""
) -> Json:
    """A route to pools by weight, for a host or for a model's name."""
    header = {"name": "X-Gateway-Model-Name", "value": model}
    match: Json = {"headers": [header]} if model else {}
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
            **({"hostnames": [host]} if host else {}),
            "rules": [{"matches": [path | match], "backendRefs": references}],
        },
    }
