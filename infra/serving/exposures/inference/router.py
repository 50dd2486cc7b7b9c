"""The manifests of the body-based router, of which a Gateway has one.

It copies the `model` of a request's body into a header, by which routes choose the pool. Arguments
and ports are those of the Gateway API Inference Extension v1.5.0; the Gateway asks it by GKE's
GCPRoutingExtension:
https://docs.cloud.google.com/kubernetes-engine/docs/how-to/configure-body-based-routing.
"""

import json
from collections.abc import Sequence

from infra.serving.exposures.inference import ext_proc_pods
from infra.serving.exposures.inference.ext_proc_pods import REGISTRY, VERSION
from infra.serving.exposures.inference.gateway_manifests import NAME as GATEWAY
from infra.serving.exposures.inference.routes import MODEL_HEADER
from infra.serving.exposures.inference.settings import RouterArgs
from infra.serving.manifest import SURGE_STRATEGY, Manifest

IMAGE = f"{REGISTRY}/bbr:{VERSION}"
NAME = "body-based-router"
COMPONENT = "body-based-router"
EXT_PROC, HEALTH, METRICS = 9004, 9005, 9090
SELECTOR = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": COMPONENT}
LONGEST_EXPRESSION = 512
"""Characters: https://googlecloudplatform.github.io/gke-gateway-api."""
_DEREGISTERED = 15
"""Seconds until the load balancer sends nothing to a pod that is to stop."""
_GRACE = _DEREGISTERED + 30


def deployment(args: RouterArgs, *, labels: dict[str, str]) -> Manifest:
    """The spec of the Deployment."""
    return {
        "replicas": args.replicas,
        "selector": {"matchLabels": SELECTOR},
        "strategy": SURGE_STRATEGY,
        "template": {
            "metadata": {"labels": {**labels, **SELECTOR}},
            "spec": ext_proc_pods.pod(
                _container(args), account=NAME, selector=SELECTOR, grace_seconds=_GRACE
            ),
        },
    }


def _container(args: RouterArgs) -> Manifest:
    settings = json.dumps({"fieldName": "model", "headerName": MODEL_HEADER}, separators=(",", ":"))
    health = {"grpc": {"port": HEALTH}}
    return {
        "name": "bbr",
        "image": IMAGE,
        "args": [
            "--streaming",
            f"--grpc-port={EXT_PROC}",
            f"--grpc-health-port={HEALTH}",
            f"--metrics-port={METRICS}",
            # Named, it runs alone: the default ones read ConfigMaps too.
            f"--plugin=body-field-to-header:model:{settings}",
            "--metrics-endpoint-auth=false",
            "--tracing=false",
            "--v=1",
        ],
        "env": ext_proc_pods.from_fields(NAMESPACE="metadata.namespace"),
        "ports": [
            {"name": "grpc", "containerPort": EXT_PROC, "protocol": "TCP"},
            {"name": "grpc-health", "containerPort": HEALTH, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS, "protocol": "TCP"},
        ],
        "resources": ext_proc_pods.resources(args.resources),
        "startupProbe": {**health, "periodSeconds": 2, "failureThreshold": 30},
        "readinessProbe": {**health, "periodSeconds": 2},
        "livenessProbe": {**health, "periodSeconds": 10},
        "lifecycle": ext_proc_pods.pause(_DEREGISTERED),
    }


def service() -> Manifest:
    """The spec of the Service that the Gateway asks."""
    return {
        "type": "ClusterIP",
        "selector": SELECTOR,
        "ports": [
            {
                "name": "grpc-ext-proc",
                "port": EXT_PROC,
                "targetPort": "grpc",
                "protocol": "TCP",
                "appProtocol": "HTTP2",
            }
        ],
    }


def routing_extension(hosts: Sequence[str]) -> Manifest:
    """The spec of the GCPRoutingExtension: the Gateway asks before it chooses a route.

    It asks about requests to the hosts that models share. `timeout` is of one message, and that of
    GKE's guide. Google takes 10 ms to 10 s, by the reference of its API (`ExtensionChain.Extension`
    of networkservices.googleapis.com/v1); older references say 1 s. Envoy itself has none while
    bodies are streamed both ways.
    """
    condition = _match_condition(hosts)
    return {
        "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": GATEWAY}],
        "extensionChains": [
            {
                "name": "models",
                **({"matchCondition": condition} if condition else {}),
                "extensions": [
                    {
                        "name": NAME,
                        "authority": f"{NAME}.internal",
                        "timeout": "1s",
                        "supportedEvents": ["RequestHeaders", "RequestBody", "RequestTrailers"],
                        "requestBodySendMode": "FullDuplexStreamed",
                        "backendRef": {
                            "group": "",
                            "kind": "Service",
                            "name": NAME,
                            "port": EXT_PROC,
                        },
                    }
                ],
            }
        ],
    }


def _match_condition(hosts: Sequence[str]) -> Manifest | None:
    """The requests that the router is asked about; None for all, where the hosts are too many.

    Names of hosts have no case, and a caller may state the port:
    https://docs.cloud.google.com/service-extensions/docs/cel-matcher-language-reference.
    """
    names = "|".join(host.replace(".", "[.]") for host in hosts)
    expression = f"request.host.matches('(?i)^({names})(:[0-9]+)?$')"
    if len(expression) > LONGEST_EXPRESSION:
        return None
    return {"celExpressions": [{"celMatcher": expression}]}


def health_check() -> Manifest:
    """The spec of the HealthCheckPolicy on its Service."""
    check = {"portSpecification": "USE_FIXED_PORT", "port": HEALTH}
    return {
        "default": {"config": {"type": "GRPC", "grpcHealthCheck": check}},
        "targetRef": {"group": "", "kind": "Service", "name": NAME},
    }


def disruption_budget() -> Manifest:
    """The spec of the disruption budget."""
    return ext_proc_pods.disruption_budget(SELECTOR, most=1)


def network_policy(*, proxies: str) -> Manifest:
    """The spec of the policy on its pods. `proxies` is the range of the proxy-only subnet."""
    return ext_proc_pods.network_policy(
        SELECTOR, ports=(EXT_PROC, HEALTH), metrics_port=METRICS, proxies=proxies
    )
