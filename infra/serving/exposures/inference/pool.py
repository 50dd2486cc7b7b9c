"""The manifests of one version's InferencePool: the pool, its objectives, GKE's policies on it.

Kinds: InferencePool v1, InferenceObjective v1alpha2 (Gateway API Inference Extension v1.5.0).
GKE's policies: https://docs.cloud.google.com/kubernetes-engine/docs/how-to/customize-gke-inference-gateway-configurations.
"""

from collections.abc import Mapping
from typing import Any

from infra.serving.exposures.base import Server
from infra.serving.exposures.inference.picker import EXT_PROC, picker_name
from infra.serving.exposures.inference.settings import InferenceGatewayArgs
from infra.serving.exposures.inference_gateway import InferencePoolSettings
from infra.serving.manifest import Manifest

GROUP = "inference.networking.k8s.io"
API = f"{GROUP}/v1"
KIND = "InferencePool"
OBJECTIVES_API = "inference.networking.x-k8s.io/v1alpha2"
FAILURE_MODES: Mapping[str, str] = {"open": "FailOpen", "close": "FailClose"}
_MILLION = 1_000_000


def pool(server: Server, exposure: InferencePoolSettings) -> Manifest:
    """The spec of the InferencePool, which has the pods of one version."""
    return {
        "selector": {"matchLabels": server.selector},
        "targetPorts": [{"number": server.rest_port}],
        "appProtocol": "http",
        "endpointPickerRef": {
            "group": "",
            "kind": "Service",
            "name": picker_name(server),
            "port": {"number": EXT_PROC},
            "failureMode": FAILURE_MODES[exposure.failure],
        },
    }


def objective(server: Server, priority: int) -> Manifest:
    """The spec of an InferenceObjective: the priority of requests that name it."""
    return {"priority": priority, "poolRef": {"group": GROUP, "kind": KIND, "name": server.name}}


def objective_name(server: Server, name: str) -> str:
    """The name of an objective of the model, which callers send in a header.

    It begins with the model's: objectives of several models may be in one namespace.
    """
    return f"{server.name}-{name}"


def health_check(server: Server) -> Manifest:
    """The spec of the HealthCheckPolicy. GKE's default path, `/`, is none that vLLM knows."""
    return {
        "default": {
            "checkIntervalSec": 5,
            "timeoutSec": 5,
            "healthyThreshold": 1,
            "unhealthyThreshold": 3,
            "config": {
                "type": "HTTP",
                "httpHealthCheck": {"requestPath": server.ready_path, "port": server.rest_port},
            },
        },
        "targetRef": target(server),
    }


def backend_policy(
    server: Server,
    exposure: InferencePoolSettings,
    args: InferenceGatewayArgs,
    *,
    armor: Any,
    of: Manifest,
) -> Manifest:
    """The spec of the GCPBackendPolicy: timeout of a stream, draining, log, Cloud Armor and IAP.

    `of` is the reference to the pool, or to the Service of a gateway for callers. `armor` names the
    Gateway's own security policy, None without one; it may be an Output.
    """
    armor = exposure.security_policy or args.security_policy or armor
    return {
        "default": {
            "timeoutSec": exposure.timeout_seconds,
            **({} if armor is None else {"securityPolicy": armor}),
            # Google's own OAuth client signs callers in.
            **({"iap": {"enabled": True}} if exposure.require_iap else {}),
            "connectionDraining": {"drainingTimeoutSec": server.drain_seconds},
            "logging": {
                "enabled": args.log_sample_rate > 0,
                "sampleRate": round(args.log_sample_rate * _MILLION),
            },
        },
        "targetRef": of,
    }


def target(server: Server) -> Manifest:
    """The reference of a policy to the pool."""
    return {"group": GROUP, "kind": KIND, "name": server.name}
