"""Configuration of kwokctl: every binary, port and flag of a control plane.

kwokctl downloads whatever is not set, so everything is set here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sandbox.kubernetes.folder import Folder, Settings
from sandbox.kubernetes.specs import ControlPlaneError

LIFECYCLE = Path(__file__).parent / "lifecycle"
BINARIES = {
    "etcdBinary": "etcd",
    "kubeApiserverBinary": "kube-apiserver",
    "kubeControllerManagerBinary": "kube-controller-manager",
    "kubeSchedulerBinary": "kube-scheduler",
    "kubectlBinary": "kubectl",
    "kwokControllerBinary": "kwok",
    "metricsServerBinary": "metrics-server",
}
# KWOK's own descriptions of heartbeats, metrics and ends; how nodes and pods begin is ours, in
# lifecycle/.
_FROM_KWOK = (
    "kustomize/metrics/resource/metrics-resource.yaml",
    "kustomize/metrics/usage/usage-from-annotation.yaml",
    "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "kustomize/stage/pod/fast/pod-complete.yaml",
    "kustomize/stage/pod/fast/pod-delete.yaml",
)
_METRICS_SERVER_MANIFESTS = "manifests/base"
_API_SERVER = "kube-apiserver"
_ADMINISTRATOR = "kwok-admin"
"""Name in the certificate with which the API server calls aggregated API servers."""
_FLAGS: Mapping[str, Mapping[str, str]] = {
    "etcd": {},
    _API_SERVER: {
        # Nodes may have the address of their Google instance; kwok serves all of
        # them on this one.
        "kubelet-preferred-address-types": "InternalDNS,InternalIP",
        # As on GKE, pods that request GPUs or TPUs tolerate the taints of the nodes that have them.
        "enable-admission-plugins": "ExtendedResourceToleration",
    },
    "kube-controller-manager": {
        # Single replica: leader election would delay a restart by the old lease's 15 s.
        "leader-elect": "false",
        # The autoscaler uses a pod as soon as it has metrics.
        "horizontal-pod-autoscaler-cpu-initialization-period": "5s",
        "horizontal-pod-autoscaler-initial-readiness-delay": "1s",
        "horizontal-pod-autoscaler-sync-period": "3s",
        # Simulated nodes do not fail, so frequent heartbeats are not needed.
        "node-monitor-grace-period": "24h",
    },
    "kube-scheduler": {"leader-elect": "false"},
    "kwok-controller": {},
    "metrics-server": {},
}
_OVERRIDES: Mapping[str, Mapping[str, str]] = {
    # No leases: a restarted kwok would wait minutes for the old one's leases to expire.
    "kwok-controller": {"node-lease-duration-seconds": "0"},
    "metrics-server": {
        "kubelet-preferred-address-types": "InternalDNS",
        "metric-resolution": "10s",
    },
}
_EXTRA: Mapping[str, Mapping[str, str]] = {
    # The resolution must exceed it.
    "metrics-server": {"kubelet-request-timeout": "5s"},
}
# The API server reaches Services through the sandbox, which stands in for the cluster's network.
_NOT_PROXIED = "127.0.0.1,localhost"


def render(
    folder: Folder, settings: Settings, *, binaries: Path, modules: Mapping[str, Path]
) -> str:
    """Return the KwokctlConfiguration of one cluster."""
    ports = settings.ports
    options: dict[str, Any] = {
        "runtime": "binary",
        "bindAddress": "127.0.0.1",
        "disableQPSLimits": True,
        "enable": ["metrics-server"],
        "metricsServerManifests": [str(modules["metrics-server"] / _METRICS_SERVER_MANIFESTS)],
        "kubeApiserverPort": ports["api"],
        "etcdPort": ports["etcd"],
        "etcdPeerPort": ports["etcd-peer"],
        "kubeControllerManagerPort": ports["kube-controller-manager"],
        "kubeSchedulerPort": ports["kube-scheduler"],
        "kwokControllerPort": ports["kwok-controller"],
        "metricsServerPort": ports["metrics-server"],
        "cacheDir": str(folder.work / "cache"),
    }
    options |= {option: str(binaries / name) for option, name in BINARIES.items()}
    api_server = {
        "token-auth-file": str(folder.tokens),
        "service-cluster-ip-range": settings.service_cidr,
        # Aggregated API servers learn the caller from headers, as on GKE.
        "requestheader-client-ca-file": str(folder.state / "pki" / "ca.crt"),
        "requestheader-allowed-names": _ADMINISTRATOR,
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    }
    document = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "options": options,
        "componentsPatches": [
            _patch(
                component,
                {**flags, **(api_server if component == _API_SERVER else {})},
                _network(settings) if component == _API_SERVER else {},
            )
            for component, flags in _FLAGS.items()
        ],
    }
    return yaml.safe_dump(document, sort_keys=False)


def _network(settings: Settings) -> dict[str, str]:
    """Variables that lead requests to addresses of Services to `controllers.service_proxy`."""
    port = settings.ports.get("service-proxy", 9)
    return {"HTTPS_PROXY": f"http://127.0.0.1:{port}", "NO_PROXY": _NOT_PROXIED}


def _patch(
    component: str, flags: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, Any]:
    arguments = {**flags, **_EXTRA.get(component, {})}
    return {
        "name": component,
        "extraArgs": [
            *({"key": key, "value": value} for key, value in arguments.items()),
            *(
                {"key": key, "value": value, "override": True}
                for key, value in _OVERRIDES.get(component, {}).items()
            ),
        ],
        "extraEnvs": [{"name": name, "value": value} for name, value in environment.items()],
    }


def documents(folder: Folder, modules: Mapping[str, Path]) -> list[Path]:
    """Return kwokctl's input files: its configuration and the KWOK stages."""
    return [
        folder.configuration,
        *(modules["kwok"] / name for name in _FROM_KWOK),
        *sorted(LIFECYCLE.glob("*.yaml")),
    ]


def check(binaries: Path, modules: Mapping[str, Path]) -> None:
    """Raise if a file is missing that kwokctl would try to download."""
    missing = [
        str(binaries / name)
        for name in (*BINARIES.values(), "kwokctl")
        if not (binaries / name).is_file()
    ]
    wanted = [modules["kwok"] / name for name in _FROM_KWOK]
    wanted.append(modules["metrics-server"] / _METRICS_SERVER_MANIFESTS)
    missing += [str(path) for path in wanted if not path.exists()]
    if missing:
        raise ControlPlaneError(
            f"the engine is incomplete, {', '.join(missing)} is missing; rebuild the engine"
        )
