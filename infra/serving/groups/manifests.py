"""Manifests of the LWS controller: Deployment, configuration, Service, webhooks, network policy.

Flags, ports and paths are those of the release:
https://github.com/kubernetes-sigs/lws/tree/v0.9.0/config.
"""

import hashlib

from gkeplatform.leader_worker_sets import NAME_LABEL
from infra.serving.groups.roles import CERTIFICATE
from infra.serving.manifest import SECURITY_CONTEXT, Manifest
from infra.serving.network_policy import dns, tcp

VERSION = "0.9.0"
# The controller keeps its certificate in this namespace where it cannot read its own.
NAMESPACE = "lws-system"
NAME = "lws-controller-manager"
SERVICE = "lws-webhook-service"
"""The name that the controller's certificate is for."""
CONFIGURATION = "lws-manager-config"
# GKE's control plane reaches pods of private nodes on ports 443 and 10250 without a firewall rule.
WEBHOOK_PORT = 10250
_PROBE_PORT = 8081
_USER = 65532
_FILE = "controller_manager_config.yaml"
_CONFIGURATION_FOLDER, _CERTIFICATES = "/config", "/certs"
_SET = "leaderworkerset-x-k8s-io-v1-leaderworkerset"
_IN_GROUPS: Manifest = {"matchExpressions": [{"key": NAME_LABEL, "operator": "Exists"}]}


def configuration() -> dict[str, str]:
    """The data of the ConfigMap. No metrics: they would need rights to review tokens."""
    lines = (
        "apiVersion: config.lws.x-k8s.io/v1alpha1",
        "kind: Configuration",
        "health:",
        f'  healthProbeBindAddress: ":{_PROBE_PORT}"',
        "metrics:",
        '  bindAddress: "0"',
        "webhook:",
        f"  port: {WEBHOOK_PORT}",
        f"  certDir: {_CERTIFICATES}",
        "leaderElection:",
        "  leaderElect: true",
        "internalCertManagement:",
        "  enable: true",
        f"  webhookServiceName: {SERVICE}",
        f"  webhookSecretName: {CERTIFICATE}",
    )
    return {_FILE: "\n".join(lines) + "\n"}


def deployment(labels: dict[str, str]) -> Manifest:
    """The spec of the controller's Deployment."""
    # It reads its configuration at start only: a new one needs a new pod.
    digest = hashlib.sha256(configuration()[_FILE].encode()).hexdigest()
    container: Manifest = {
        "name": "manager",
        "image": f"registry.k8s.io/lws/lws:v{VERSION}",
        "command": ["/manager"],
        "args": [f"--config={_CONFIGURATION_FOLDER}/{_FILE}", "--zap-log-level=2"],
        "ports": [
            {"name": "webhook-server", "containerPort": WEBHOOK_PORT, "protocol": "TCP"},
            {"name": "probes", "containerPort": _PROBE_PORT, "protocol": "TCP"},
        ],
        # LWS 0.9.0 tells /readyz before it has its certificate, and listens for the API server only
        # then; without that, groups are refused.
        "startupProbe": {**_probe("/healthz"), "failureThreshold": 30},
        "readinessProbe": {"tcpSocket": {"port": "webhook-server"}, "periodSeconds": 10},
        "livenessProbe": _probe("/healthz"),
        "resources": {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        },
        "securityContext": SECURITY_CONTEXT,
        "volumeMounts": [
            {"name": "configuration", "mountPath": _CONFIGURATION_FOLDER, "readOnly": True},
            {"name": "certificates", "mountPath": _CERTIFICATES, "readOnly": True},
        ],
    }
    return {
        "replicas": 1,
        "selector": {"matchLabels": selector()},
        "template": {
            "metadata": {
                "labels": {**labels, **selector()},
                "annotations": {"platform/configuration": digest[:16]},
            },
            "spec": {
                "serviceAccountName": NAME,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": 10,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": _USER,
                    "runAsGroup": _USER,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [container],
                "volumes": [
                    {"name": "configuration", "configMap": {"name": CONFIGURATION}},
                    {"name": "certificates", "secret": {"secretName": CERTIFICATE}},
                ],
            },
        },
    }


def _probe(path: str) -> Manifest:
    return {"httpGet": {"path": path, "port": "probes"}, "periodSeconds": 10}


def selector() -> dict[str, str]:
    """Labels of the controller's pods."""
    return {"app.kubernetes.io/name": NAME}


def service() -> Manifest:
    """The spec of the Service by which the API server calls the webhooks."""
    port = {"name": "https", "port": 443, "targetPort": "webhook-server", "protocol": "TCP"}
    return {"selector": selector(), "ports": [port]}


def mutating_webhooks() -> list[Manifest]:
    """Webhooks that complete LeaderWorkerSets, and give pods of groups their place and addresses.

    The controller adds its certificate authority.
    """
    return [
        _webhook(f"mutate-{_SET}", "mleaderworkerset.kb.io", ["CREATE", "UPDATE"]),
        _webhook("mutate--v1-pod", "mpod.kb.io", ["CREATE"], of_pods=True),
    ]


def validating_webhooks() -> list[Manifest]:
    """Webhooks that refuse LeaderWorkerSets whose fields contradict each other."""
    return [
        _webhook(f"validate-{_SET}", "vleaderworkerset.kb.io", ["CREATE", "UPDATE"]),
        _webhook("validate--v1-pod", "vpod.kb.io", ["CREATE", "UPDATE"], of_pods=True),
    ]


def _webhook(path: str, name: str, operations: list[str], *, of_pods: bool = False) -> Manifest:
    group, resource = ("", "pods") if of_pods else ("leaderworkerset.x-k8s.io", "leaderworkersets")
    return {
        "name": name,
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "service": {"name": SERVICE, "namespace": NAMESPACE, "path": f"/{path}", "port": 443}
        },
        # A pod without its variables would never find its leader.
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "timeoutSeconds": 10,
        **({"objectSelector": _IN_GROUPS} if of_pods else {}),
        "rules": [
            {
                "apiGroups": [group],
                "apiVersions": ["v1"],
                "operations": operations,
                "resources": [resource],
                "scope": "Namespaced",
            }
        ],
    }


def network_policy() -> Manifest:
    """The spec of the policy on the namespace: only the API server calls it, from any address."""
    return {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [tcp(WEBHOOK_PORT)]}],
        # The API server, which may have any private address.
        "egress": [dns(), {"ports": [tcp(443)]}],
    }
