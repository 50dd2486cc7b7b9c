"""The manifests of a model's gateway: Envoy, and beside it the program that knows the keys.

The model's Service, by which every kind of exposure reaches it, selects the gateway's pods. The
model's own pods have a headless Service for the gateway alone.
"""

import hashlib
import json

from infra.serving import picker_metrics
from infra.serving.callers import envoy, pods
from infra.serving.callers.pods import GATEWAY, LIMITS, LIMITS_PORT
from infra.serving.callers.settings import CallersArgs
from infra.serving.exposures.inference import picker
from infra.serving.exposures.inference_gateway import InferencePoolSettings
from infra.serving.manifest import SURGE_STRATEGY, Manifest
from infra.serving.models import Workload
from infra.serving.models.files import DOWNLOADER
from infra.serving.pod_programs import KEYS, source

IMAGE = f"docker.io/envoyproxy/envoy:distroless-{envoy.VERSION}"
KEYS_IMAGE = DOWNLOADER
"""It has Python 3.11: GoogleCloudPlatform/cloud-sdk-docker, debian_slim/Dockerfile."""
ACCOUNT = "caller-keys"
"""The service account of a namespace's gateways; also the name of the Secret with the keys."""
SUFFIX, SERVER_SUFFIX = "-callers", "-server"
BOOTSTRAP = "envoy.json"
CONTAINER = "envoy"
"""The container that writes the audit log."""
HEALTH_PORT = 8002
_SETTINGS, _KEYS, _ROUTES = "/etc/callers", "/etc/keys", "/run/routes"
_MARGIN = 30
"""Seconds to end the process, once the last answer has ended."""
_DEFAULT_TIMEOUT = 300
"""Seconds of an answer, where the exposure has no timeout."""


def name(workload: Workload) -> str:
    """The name of the gateway's objects."""
    return f"{workload.name}{SUFFIX}"


def server_service_name(workload: Workload) -> str:
    """The name of the Service of the model's own pods."""
    return f"{workload.name}{SERVER_SUFFIX}"


def selector(workload: Workload) -> dict[str, str]:
    """Labels that select the gateway's pods."""
    return {"app.kubernetes.io/name": name(workload), "app.kubernetes.io/component": GATEWAY}


def settings(workload: Workload, callers: CallersArgs, *, namespace: str) -> dict[str, str]:
    """The data of the ConfigMap. `namespace` is that of the rate limit service."""
    if workload.rest_port is None or workload.ready_path is None:
        raise ValueError(f"{workload.name} speaks gRPC only")  # see `checks`
    asked = _picker(workload)
    bootstrap = envoy.bootstrap(
        port=workload.rest_port,
        server=f"{server_service_name(workload)}.{workload.namespace}.svc.cluster.local",
        limits=f"{LIMITS}.{namespace}.svc.cluster.local",
        limits_port=LIMITS_PORT,
        routes=f"{_ROUTES}/{envoy.ROUTES}",
        fails_open=callers.failure == "open",
        ready_path=workload.ready_path,
        health_port=HEALTH_PORT,
        drain_seconds=workload.drain_seconds,
        picker=asked,
    )
    routes = envoy.routes(
        allowed=workload.callers,
        ready_path=workload.ready_path,
        timeout_seconds=workload.exposure.timeout_seconds or _DEFAULT_TIMEOUT,
        asks_picker=asked is not None,
        starts=picker_metrics.starts(workload),
    )
    return {
        BOOTSTRAP: json.dumps(bootstrap, indent=1),
        envoy.ROUTES: json.dumps(routes, indent=1),
        envoy.CALLERS: json.dumps(envoy.listed(callers), indent=1),
        KEYS: source(KEYS),
    }


def _picker(workload: Workload) -> envoy.Picker | None:
    """The endpoint picker of a model behind the Inference Gateway; None for others."""
    if not isinstance(workload.exposure, InferencePoolSettings):
        return None
    return envoy.Picker(
        host=f"{picker.ready_service_name(workload)}.{workload.namespace}.svc.cluster.local",
        port=picker.EXT_PROC,
        fails_open=workload.exposure.failure == "open",
    )


def digest(data: dict[str, str]) -> str:
    """Changes with what is read at a start only; routes, callers and keys are followed."""
    text = data[BOOTSTRAP] + data[KEYS]
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def deployment(
    workload: Workload, *, replicas: int, labels: dict[str, str], config_digest: str
) -> Manifest:
    """The spec of the Deployment."""
    chosen = selector(workload)
    return {
        "replicas": replicas,
        "selector": {"matchLabels": chosen},
        "strategy": SURGE_STRATEGY,
        "template": {
            "metadata": {
                "labels": {**labels, **chosen},
                "annotations": {"gkeplatform/config": config_digest},
            },
            "spec": pods.pod(
                [_envoy(workload)],
                sidecars=[_keys()],
                selector=chosen,
                account=ACCOUNT,
                grace_seconds=workload.drain_seconds + _MARGIN,
                volumes=[
                    {"name": "settings", "configMap": {"name": name(workload)}},
                    {"name": "keys", "secret": {"secretName": ACCOUNT, "defaultMode": 0o440}},
                    {"name": "routes", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
                    {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
                ],
            ),
        },
    }


def _envoy(workload: Workload) -> Manifest:
    return {
        "name": CONTAINER,
        "image": IMAGE,
        "command": ["/usr/local/bin/envoy"],
        "args": [
            "--config-path",
            f"{_SETTINGS}/{BOOTSTRAP}",
            "--disable-hot-restart",
            "--log-level",
            "warning",
            # Each new file of routes would warn that the filter is work in progress.
            "--component-log-level",
            "misc:error",
        ],
        "ports": [
            {"name": "rest", "containerPort": workload.rest_port, "protocol": "TCP"},
            {"name": "health", "containerPort": HEALTH_PORT, "protocol": "TCP"},
        ],
        "resources": pods.resources("200m", "256Mi", most_memory="1Gi"),
        "startupProbe": _probe(period=2, failures=60),
        "readinessProbe": _probe(period=5, failures=3),
        "livenessProbe": _probe(period=10, failures=6),
        # It goes on while it is deregistered, for the streams that pass through it.
        "lifecycle": {"preStop": {"sleep": {"seconds": workload.drain_seconds}}},
        "volumeMounts": [
            {"name": "settings", "mountPath": _SETTINGS, "readOnly": True},
            {"name": "routes", "mountPath": _ROUTES, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in the container
        ],
    }


def _probe(*, period: int, failures: int) -> Manifest:
    """Envoy's own health, not the model's: without a model server, it answers 503."""
    return {
        "httpGet": {"path": "/", "port": "health"},
        "periodSeconds": period,
        "failureThreshold": failures,
    }


def _keys() -> Manifest:
    ready = {"exec": {"command": ["test", "-s", f"{_ROUTES}/{envoy.ROUTES}"]}}
    return {
        "name": "keys",
        "image": KEYS_IMAGE,
        "restartPolicy": "Always",
        "command": ["python3", "-B", f"{_SETTINGS}/{KEYS}"],
        "args": [
            f"--settings={_SETTINGS}",
            f"--keys={_KEYS}",
            f"--target={_ROUTES}/{envoy.ROUTES}",
        ],
        # Envoy does not start without the file.
        "startupProbe": {**ready, "periodSeconds": 1, "failureThreshold": 120},
        "resources": pods.resources("20m", "64Mi", most_memory="128Mi"),
        "volumeMounts": [
            {"name": "settings", "mountPath": _SETTINGS, "readOnly": True},
            {"name": "keys", "mountPath": _KEYS, "readOnly": True},
            {"name": "routes", "mountPath": _ROUTES},
        ],
    }


def server_service(workload: Workload) -> Manifest:
    """The spec of the headless Service of the model's own pods."""
    return {
        "type": "ClusterIP",
        "clusterIP": "None",
        "selector": workload.selector,
        "ports": [
            {
                "name": "rest",
                "port": workload.rest_port,
                "targetPort": "rest",
                "protocol": "TCP",
            }
        ],
    }


def provider_class(callers: CallersArgs, *, project: str) -> Manifest:
    """The spec of the SecretProviderClass: the versions of all keys."""
    listed = [
        {
            "resourceName": f"projects/{project}/secrets/{one.secret_manager}"
            f"/versions/{one.version}",
            "path": one.file,
        }
        for one in callers.keys
    ]
    # A list as YAML text; JSON is YAML.
    return {"provider": "gke", "parameters": {"secrets": json.dumps(listed)}}


def secret_sync(callers: CallersArgs) -> Manifest:
    """The spec of the SecretSync: one Secret, so that another key changes no pod."""
    data = [{"sourcePath": one.file, "targetKey": one.file} for one in callers.keys]
    return {
        "serviceAccountName": ACCOUNT,
        "secretProviderClassName": ACCOUNT,
        "secretObject": {"type": "Opaque", "data": data},
    }
