"""The manifests of imports: a Job each, and the ConfigMap with its program."""

from infra.serving.manifest import SECURITY_CONTEXT, Manifest
from infra.serving.models.files import DOWNLOADER, DOWNLOADER_AMOUNTS
from infra.serving.models.imports import Imported
from infra.serving.models.pod import USER
from infra.serving.models.secrets import SYNC_KEY
from infra.serving.pod_programs import IMPORT, source

IMAGE = DOWNLOADER
"""It has Python 3.11: GoogleCloudPlatform/cloud-sdk-docker, debian_slim/Dockerfile."""
COMPONENT = "model-import"
"""Of its labels; also the name of the service account and of the ConfigMap."""
AWAIT_MARGIN = 120
"""Seconds that the engine waits beyond a Job's deadline, so that the Job's own end is told."""
_FOLDER = "/import"
_HUB_FOLDER = "/hub"
_HUB_TOKEN = f"{_HUB_FOLDER}/{SYNC_KEY}"


def config_map() -> dict[str, str]:
    """The ConfigMap's data."""
    return {IMPORT: source(IMPORT)}


def secret_owner(imported: Imported) -> str:
    """What the names of its synchronized Secrets begin with; no model has a dot in its name."""
    return f"{imported.owner}.import"


def annotations(imported: Imported) -> dict[str, str]:
    """Annotations that the engine reads: a failed Job is replaced by the next update."""
    return {
        "pulumi.com/replaceUnready": "true",
        "pulumi.com/timeoutSeconds": str(imported.timeout_seconds + AWAIT_MARGIN),
    }


def job(imported: Imported, *, labels: dict[str, str]) -> Manifest:
    """The spec of the Job.

    The program itself tries again what may pass. A pod that a node's end or a preemption took away
    is replaced and continues; one that failed ends the Job, and the engine tells its message. Of
    the reasons of a failed Job the engine knows only `BackoffLimitExceeded` and `DeadlineExceeded`
    (pulumi-kubernetes, await/checker/job/check.go): a policy that fails it has another.
    """
    return {
        "backoffLimit": 0,
        "activeDeadlineSeconds": imported.timeout_seconds,
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "Ignore",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                }
            ]
        },
        "template": {"metadata": {"labels": labels}, "spec": _pod(imported)},
    }


def _pod(imported: Imported) -> Manifest:
    token = imported.token
    mounts: list[Manifest] = [{"name": "program", "mountPath": _FOLDER, "readOnly": True}]
    volumes: list[Manifest] = [{"name": "program", "configMap": {"name": COMPONENT}}]
    if token:
        mounts.append({"name": "token", "mountPath": _HUB_FOLDER, "readOnly": True})
        secret = token.name(secret_owner(imported))
        volumes.append({"name": "token", "secret": {"secretName": secret}})
    return {
        "restartPolicy": "Never",
        "serviceAccountName": COMPONENT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "import",
                "image": IMAGE,
                "command": ["python3", "-B", f"{_FOLDER}/{IMPORT}"],
                "args": arguments(imported),
                **({"env": [{"name": "HF_TOKEN_PATH", "value": _HUB_TOKEN}]} if token else {}),
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "resources": {
                    "requests": DOWNLOADER_AMOUNTS,
                    "limits": {**DOWNLOADER_AMOUNTS, "cpu": "1"},
                },
                "securityContext": SECURITY_CONTEXT,
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }


def arguments(imported: Imported) -> list[str]:
    """The program's arguments."""
    return [
        imported.repository,
        imported.revision,
        imported.folder,
        *(f"--include={one}" for one in imported.include),
        *(f"--exclude={one}" for one in imported.exclude),
        *(["--pickles"] if imported.pickles else []),
        *([f"--largest={imported.largest}"] if imported.largest is not None else []),
    ]


def write_condition(prefix: str) -> dict[str, str]:
    """The condition of the grant to write: objects below the folder `gs://bucket/path` alone.

    https://docs.cloud.google.com/storage/docs/access-control/iam#conditions
    """
    bucket, _, path = prefix.removeprefix("gs://").partition("/")
    name = f"projects/_/buckets/{bucket}/objects/{path}/"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return {
        "title": f"imports below {path}"[:100],
        "expression": f'resource.name.startsWith("{quoted}")',
    }
