"""The manifests of a pool's endpoint picker (EPP).

Arguments, ports, probes and rights are those of the Gateway API Inference Extension v1.5.0:
https://github.com/kubernetes-sigs/gateway-api-inference-extension/tree/v1.5.0/config/charts.

One replica picks. A second picker would know half of the prompts, so that the extension has further
replicas wait for a lease, not ready, and the Deployment is never fully available:

- With one replica a rollout starts the new pod first, and both pick for a moment.
- With more, a rollout ends all pods at once: a new pod becomes ready only when the old leader has
  gone. The strategy is not `Recreate`: it would change with `replicas`, and the API server refuses
  it beside the defaults that `rollingUpdate` has left in the object. A budget that keeps a pod
  available would block the drain of the leader's node, since the waiting pods do not count.

A picker that is told to stop goes on for the answers that pass through it: one that is alone waits
for them, since another one has the new requests by then. A leader stops at once, and its lease ends
with it.

Without a picker, requests do what the entry's `failure` says.
"""

import json

from infra.serving.exposures.base import Server
from infra.serving.exposures.inference import ext_proc_pods
from infra.serving.exposures.inference.ext_proc_pods import REGISTRY, VERSION
from infra.serving.exposures.inference.settings import PickerArgs
from infra.serving.manifest import SURGE_STRATEGY, Manifest
from infra.serving.network_policy import tcp

IMAGE = f"{REGISTRY}/epp:{VERSION}"
_ALL_AT_ONCE: Manifest = {
    "type": "RollingUpdate",
    "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"},
}
EXT_PROC, HEALTH, METRICS = 9002, 9003, 9090
COMPONENT = "endpoint-picker"
SUFFIX = "-epp"
CONFIG_FILE = "plugins.yaml"
_MOUNT = "/config"
_GROUP = "inference.networking.k8s.io"
_WATCH = ["get", "list", "watch"]
_MARGIN = 30
"""Seconds to end the process, once the last answer has ended."""


def picker_name(server: Server) -> str:
    """The name of the picker's objects."""
    return f"{server.name}{SUFFIX}"


def ready_service_name(server: Server) -> str:
    """The name of the Service by which a gateway for callers finds the pickers that are ready."""
    return f"{picker_name(server)}-ready"


def selector(server: Server) -> dict[str, str]:
    """Labels that select the picker's pods."""
    return {"app.kubernetes.io/name": picker_name(server), "app.kubernetes.io/component": COMPONENT}


def rules(args: PickerArgs) -> list[Manifest]:
    """Rules of its Role: the pool, its pods and objectives; with more replicas, the lease."""
    found: list[Manifest] = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": _WATCH},
        {"apiGroups": [_GROUP], "resources": ["inferencepools"], "verbs": _WATCH},
        {
            "apiGroups": ["inference.networking.x-k8s.io"],
            "resources": ["inferenceobjectives", "inferencemodelrewrites"],
            "verbs": _WATCH,
        },
    ]
    if args.replicas > 1:
        found += [
            {
                "apiGroups": ["coordination.k8s.io"],
                "resources": ["leases"],
                "verbs": ["get", "list", "watch", "create", "update", "patch"],
            },
            {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
        ]
    return found


def configuration(args: PickerArgs, *, has_adapters: bool) -> dict[str, str]:
    """The data of the ConfigMap: the plugins and the weights of its scorers.

    The scorer of adapters reads `vllm:lora_requests_info`, which servers without adapters have not.
    """
    weights = args.weights
    scorers = {
        "queue-scorer": weights.queue,
        "kv-cache-utilization-scorer": weights.kv_cache,
        "prefix-cache-scorer": weights.prefix,
        "lora-affinity-scorer": weights.adapters if has_adapters else 0,
    }
    used = {name: weight for name, weight in scorers.items() if weight}
    plugins = [
        *({"type": name} for name in used),
        {"type": "metrics-data-source", "parameters": {"scheme": "http", "path": "/metrics"}},
        {"type": "core-metrics-extractor"},
    ]
    profile = [{"pluginRef": name, "weight": weight} for name, weight in used.items()]
    text = {
        "apiVersion": "inference.networking.x-k8s.io/v1alpha1",
        "kind": "EndpointPickerConfig",
        **({"featureGates": ["flowControl"]} if args.flow_control else {}),
        "plugins": plugins,
        "schedulingProfiles": [{"name": "default", "plugins": profile}],
    }
    # JSON is YAML, and needs no library.
    return {CONFIG_FILE: json.dumps(text, indent=1)}


def wait(args: PickerArgs) -> dict[str, str]:
    """Annotations of the Deployment: of several replicas one becomes ready."""
    if args.replicas == 1:
        return {}
    return {"pulumi.com/waitFor": "jsonpath={.status.readyReplicas}=1"}


def deployment(
    server: Server, args: PickerArgs, *, labels: dict[str, str], config_digest: str
) -> Manifest:
    """The spec of the Deployment. `config_digest` changes with the configuration, read at start."""
    chosen = selector(server)
    strategy = SURGE_STRATEGY if args.replicas == 1 else _ALL_AT_ONCE
    return {
        "replicas": args.replicas,
        "selector": {"matchLabels": chosen},
        "strategy": strategy,
        "template": {
            "metadata": {
                "labels": {**labels, **chosen},
                "annotations": {"gkeplatform/config": config_digest},
            },
            "spec": ext_proc_pods.pod(
                _container(server, args),
                account=picker_name(server),
                selector=chosen,
                # It forwards the parts of a stream's answer until the last one.
                grace_seconds=server.drain_seconds + _MARGIN,
                volumes=[{"name": "config", "configMap": {"name": picker_name(server)}}],
            ),
        },
    }


def _container(server: Server, args: PickerArgs) -> Manifest:
    elects = args.replicas > 1
    return {
        "name": "epp",
        "image": IMAGE,
        "args": [
            f"--pool-name={server.name}",
            f"--pool-namespace={server.namespace}",
            f"--pool-group={_GROUP}",
            f"--config-file={_MOUNT}/{CONFIG_FILE}",
            f"--grpc-port={EXT_PROC}",
            f"--grpc-health-port={HEALTH}",
            f"--metrics-port={METRICS}",
            # Its network policy admits Prometheus alone; tokens would need a cluster-wide right.
            "--metrics-endpoint-auth=false",
            "--tracing=false",
            "--zap-encoder=json",
            "--v=1",
            *(["--ha-enable-leader-election"] if elects else []),
        ],
        "env": ext_proc_pods.from_fields(NAMESPACE="metadata.namespace", POD_NAME="metadata.name"),
        "ports": [
            {"name": "grpc", "containerPort": EXT_PROC, "protocol": "TCP"},
            {"name": "grpc-health", "containerPort": HEALTH, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS, "protocol": "TCP"},
        ],
        "resources": ext_proc_pods.resources(args.resources),
        # It is ready once it has read its pool; of several, once it is the leader.
        "startupProbe": {
            "grpc": {"port": HEALTH, "service": "liveness" if elects else "inference-extension"},
            "periodSeconds": 2,
            "failureThreshold": 60,
        },
        "readinessProbe": {
            "grpc": {"port": HEALTH, "service": "readiness" if elects else "inference-extension"},
            "periodSeconds": 2,
        },
        "livenessProbe": {
            "grpc": {"port": HEALTH, "service": "liveness" if elects else "inference-extension"},
            "periodSeconds": 10,
        },
        **({} if elects else {"lifecycle": ext_proc_pods.pause(server.drain_seconds)}),
        "volumeMounts": [{"name": "config", "mountPath": _MOUNT, "readOnly": True}],
    }


def service(server: Server) -> Manifest:
    """The spec of the Service that the pool refers to."""
    return {
        "type": "ClusterIP",
        "selector": selector(server),
        "ports": [
            {
                "name": "grpc-ext-proc",
                "port": EXT_PROC,
                "targetPort": "grpc",
                "protocol": "TCP",
            },
        ],
    }


def ready_service(server: Server) -> Manifest:
    """The spec of the headless Service: without a picker its name has no address.

    A caller of the other one would wait for a connection, with a request's body on the way, and
    could not do without a picker any more.
    """
    return {**service(server), "clusterIP": "None"}


def disruption_budget(server: Server, args: PickerArgs) -> Manifest:
    """The spec of the disruption budget. It blocks no drain; see above."""
    return ext_proc_pods.disruption_budget(selector(server), most=args.replicas)


def network_policy(server: Server, *, proxies: str) -> Manifest:
    """The spec of the policy on its pods. `proxies` is the range of the proxy-only subnet."""
    models = {"to": [{"podSelector": {"matchLabels": server.selector}}]}
    port = server.rest_port
    return ext_proc_pods.network_policy(
        selector(server),
        ports=(EXT_PROC, HEALTH),
        metrics_port=METRICS,
        proxies=proxies,
        egress=[{**models, "ports": [tcp(port)] if port else []}],
    )
