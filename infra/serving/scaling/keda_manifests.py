"""Manifests of KEDA's operator and metrics adapter: Deployments, Services, network policy.

Flags, ports and paths are those of the release:
https://github.com/kedacore/keda/tree/v2.21.0/config.
"""

from infra.serving.manifest import SECURITY_CONTEXT, Manifest
from infra.serving.network_policy import dns, metadata_servers, tcp

VERSION = "2.21.0"
NAMESPACE = "keda"
OPERATOR = "keda-operator"
ADAPTER = "keda-metrics-apiserver"
ACCOUNT = OPERATOR
"""Service account of both."""
CERTIFICATES = "kedaorg-certs"
"""Secret that the operator writes: its certificate authority and certificate."""
OPERATOR_PORT = 9666
# GKE's control plane reaches pods of private nodes on ports 443 and 10250 without a firewall rule.
ADAPTER_PORT = 10250
_PROBE_PORT = 8081
_USER = 1000
_RESOURCES = {
    OPERATOR: ({"cpu": "100m", "memory": "256Mi"}, {"cpu": "1", "memory": "1000Mi"}),
    ADAPTER: ({"cpu": "100m", "memory": "128Mi"}, {"cpu": "1", "memory": "1000Mi"}),
}
_MOUNT = "/certs"


def operator(labels: dict[str, str]) -> Manifest:
    """The spec of the operator's Deployment."""
    container: Manifest = {
        "image": f"ghcr.io/kedacore/keda:{VERSION}",
        "command": ["/keda"],
        "args": [
            "--leader-elect",
            "--zap-log-level=info",
            "--zap-encoder=console",
            "--zap-time-encoding=rfc3339",
            "--enable-cert-rotation=true",
            # No admission webhook is installed: the platform checks entries itself.
            "--enable-webhook-patching=false",
        ],
        "ports": [
            {"name": "metricsservice", "containerPort": OPERATOR_PORT, "protocol": "TCP"},
            {"name": "probes", "containerPort": _PROBE_PORT, "protocol": "TCP"},
        ],
        **_probes({"port": _PROBE_PORT}),
    }
    # The operator creates the Secret at its first start.
    return _deployment(OPERATOR, container, labels, optional=True)


def adapter(labels: dict[str, str]) -> Manifest:
    """The spec of the Deployment of the API server for external metrics."""
    container: Manifest = {
        "image": f"ghcr.io/kedacore/keda-metrics-apiserver:{VERSION}",
        "command": ["/keda-adapter"],
        "args": [
            f"--secure-port={ADAPTER_PORT}",
            "--zap-log-level=error",
            f"--client-ca-file={_MOUNT}/ca.crt",
            f"--tls-cert-file={_MOUNT}/tls.crt",
            f"--tls-private-key-file={_MOUNT}/tls.key",
            f"--cert-dir={_MOUNT}",
            f"--metrics-service-address={OPERATOR}.{NAMESPACE}.svc.cluster.local:{OPERATOR_PORT}",
        ],
        "ports": [{"name": "https", "containerPort": ADAPTER_PORT, "protocol": "TCP"}],
        **_probes({"port": "https", "scheme": "HTTPS"}),
    }
    return _deployment(ADAPTER, container, labels, optional=False)


def _probes(endpoint: Manifest) -> Manifest:
    ready = {"httpGet": {"path": "/readyz", **endpoint}, "periodSeconds": 10}
    alive = {"httpGet": {"path": "/healthz", **endpoint}, "periodSeconds": 10}
    return {
        "startupProbe": {**alive, "failureThreshold": 30},
        "readinessProbe": ready,
        "livenessProbe": alive,
    }


def _deployment(
    name: str, container: Manifest, labels: dict[str, str], *, optional: bool
) -> Manifest:
    requests, limits = _RESOURCES[name]
    return {
        "replicas": 1,
        "selector": {"matchLabels": selector(name)},
        "template": {
            "metadata": {"labels": {**labels, **selector(name)}},
            "spec": {
                "serviceAccountName": ACCOUNT,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": 10,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": _USER,
                    "runAsGroup": _USER,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": name,
                        **container,
                        "env": _environment(),
                        "resources": {"requests": requests, "limits": limits},
                        "securityContext": SECURITY_CONTEXT,
                        "volumeMounts": [
                            {"name": "certificates", "mountPath": _MOUNT, "readOnly": True},
                            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in the container
                        ],
                    }
                ],
                "volumes": [
                    {
                        "name": "certificates",
                        "secret": {"secretName": CERTIFICATES, "optional": optional},
                    },
                    {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
                ],
            },
        },
    }


def _environment() -> list[Manifest]:
    return [
        {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "WATCH_NAMESPACE", "value": ""},
        # Credentials come from workload identity; Secrets of other namespaces are not read.
        {"name": "KEDA_RESTRICT_SECRET_ACCESS", "value": "true"},
    ]


def selector(name: str) -> dict[str, str]:
    """Labels of the pods of the operator or the adapter."""
    return {"app.kubernetes.io/name": name}


def service(name: str) -> Manifest:
    """The spec of the Service of the operator or the adapter."""
    port: Manifest = (
        {"name": "metricsservice", "port": OPERATOR_PORT, "targetPort": "metricsservice"}
        if name == OPERATOR
        else {"name": "https", "port": 443, "targetPort": "https"}
    )
    return {"selector": selector(name), "ports": [{**port, "protocol": "TCP"}]}


def api_service() -> Manifest:
    """The spec of the APIService of external metrics. The operator adds its CA certificate."""
    return {
        "group": "external.metrics.k8s.io",
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "service": {"name": ADAPTER, "namespace": NAMESPACE, "port": 443},
    }


def network_policy() -> Manifest:
    """The spec of the policy on the namespace: only the API server calls it, from any address."""
    return {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {}}]}, {"ports": [tcp(ADAPTER_PORT)]}],
        "egress": [
            {"to": [{"podSelector": {}}]},
            dns(),
            *metadata_servers(),
            # The API server, which may have any private address, and Cloud Monitoring.
            {"ports": [tcp(443)]},
        ],
    }
