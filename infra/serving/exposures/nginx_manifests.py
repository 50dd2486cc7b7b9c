"""The manifests of NGINX's ingress controller.

Source: the project's own deployment, https://kubernetes.github.io/ingress-nginx/deploy/.
"""

from infra.serving.exposures.settings import NginxArgs
from infra.serving.manifest import SURGE_STRATEGY, Manifest

NAMESPACE = "ingress-nginx"
NAME = "ingress-nginx"
IMAGE = "registry.k8s.io/ingress-nginx/controller:v1.15.1"
CONTROLLER = "k8s.io/ingress-nginx"
"""The controller's name in an IngressClass."""
SELECTOR = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "ingress-controller"}
_LEADER = f"{NAME}-leader"
_WATCH = ["list", "watch"]
_READ = ["get", *_WATCH]
_USER, _GROUP = 101, 82
_HTTP, _HTTPS = 8080, 8443


def cluster_rules() -> list[Manifest]:
    """Rules in all namespaces. Secrets are read for their certificates."""
    return [
        {
            "apiGroups": [""],
            "resources": ["configmaps", "endpoints", "nodes", "pods", "secrets", "namespaces"],
            "verbs": _WATCH,
        },
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["services"], "verbs": _READ},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": _WATCH},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
        {
            "apiGroups": ["networking.k8s.io"],
            "resources": ["ingresses", "ingressclasses"],
            "verbs": _READ,
        },
        {
            "apiGroups": ["networking.k8s.io"],
            "resources": ["ingresses/status"],
            "verbs": ["update"],
        },
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
    ]


def namespace_rules() -> list[Manifest]:
    """Rules in its own namespace: leader election; the leader writes addresses."""
    return [
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": [_LEADER],
            "verbs": ["get", "update"],
        },
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    ]


def service(args: NginxArgs) -> Manifest:
    """The spec of the Service. Policy `Local` preserves the callers' addresses."""
    ranges = {"loadBalancerSourceRanges": list(args.source_ranges)} if args.source_ranges else {}
    return {
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Local",
        "selector": SELECTOR,
        "ports": [
            {"name": name, "port": port, "targetPort": name, "protocol": "TCP"}
            for name, port in (("http", 80), ("https", 443))
        ],
        **ranges,
    }


def network_policy() -> Manifest:
    """The spec of the policy on its pods: anyone may call its two ports."""
    ports = [{"port": name, "protocol": "TCP"} for name in ("http", "https")]
    return {
        "podSelector": {"matchLabels": SELECTOR},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": ports}],
    }


def disruption_budget() -> Manifest:
    """The spec of the disruption budget."""
    return {
        "maxUnavailable": 1,
        "selector": {"matchLabels": SELECTOR},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


def deployment(args: NginxArgs, class_name: str, *, labels: dict[str, str]) -> Manifest:
    """The spec of the Deployment, spread over zones and nodes; it drains before it ends."""
    return {
        "replicas": args.replicas,
        "selector": {"matchLabels": SELECTOR},
        "strategy": SURGE_STRATEGY,
        "template": {
            "metadata": {"labels": {**labels, **SELECTOR}},
            "spec": {
                "serviceAccountName": NAME,
                "enableServiceLinks": False,
                # It reads Ingresses from the API server.
                "automountServiceAccountToken": True,
                "terminationGracePeriodSeconds": 300,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": _USER,
                    "runAsGroup": _GROUP,
                    "fsGroup": _GROUP,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 1,
                        "topologyKey": key,
                        "whenUnsatisfiable": "ScheduleAnyway",
                        "labelSelector": {"matchLabels": SELECTOR},
                    }
                    for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
                ],
                "containers": [_container(class_name)],
            },
        },
    }


def _container(class_name: str) -> Manifest:
    health = {"path": "/healthz", "port": "health"}
    return {
        "name": "controller",
        "image": IMAGE,
        "args": [
            "/nginx-ingress-controller",
            f"--publish-service=$(POD_NAMESPACE)/{NAME}",
            f"--configmap=$(POD_NAMESPACE)/{NAME}",
            f"--election-id={_LEADER}",
            f"--controller-class={CONTROLLER}",
            f"--ingress-class={class_name}",
            f"--http-port={_HTTP}",
            f"--https-port={_HTTPS}",
        ],
        "env": [
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": field}}}
            for name, field in (
                ("POD_NAME", "metadata.name"),
                ("POD_NAMESPACE", "metadata.namespace"),
            )
        ],
        "ports": [
            {"name": name, "containerPort": port, "protocol": "TCP"}
            for name, port in (("http", _HTTP), ("https", _HTTPS), ("health", 10254))
        ],
        "resources": {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": False,
            # The binary has this file capability and does not start without it.
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        },
        "startupProbe": {"httpGet": health, "periodSeconds": 2, "failureThreshold": 30},
        "readinessProbe": {"httpGet": health, "periodSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {"httpGet": health, "periodSeconds": 10, "failureThreshold": 5},
        "lifecycle": {"preStop": {"exec": {"command": ["/wait-shutdown"]}}},
    }
