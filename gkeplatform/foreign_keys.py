"""Keys of Kubernetes, Helm charts and KServe that people write in a model, and ours for them.

Data for messages about unknown keys. What has no key of ours is in docs/guides/not-offered.md.
"""

import re

PAGE = "docs/guides/not-offered.md"

_MODEL = re.compile(r"^\.models\[\d+\]")
_SEPARATORS = re.compile(r"[^a-z0-9]")

_EQUIVALENTS: dict[str, tuple[str, ...]] = {
    "environment": ("env", "env_vars", "envFrom", "variables", "secret", "secrets", "secretRef"),
    "arguments": ("args", "extraArgs", "flags", "options"),
    "image": ("repository", "tag", "imageTag", "container_image"),
    "server": ("runtime", "predictor", "framework", "modelFormat", "backend", "engine"),
    "source": ("model", "modelUri", "storageUri", "model_path", "model_id", "bucket", "path"),
    "served_name": ("model_name", "served_model_name"),
    "files": ("storage", "persistence", "download", "initializer"),
    "team": ("namespace",),
    "replicas": ("replicaCount", "instances", "scale"),
    "replicas.min": ("minReplicas", "minScale"),
    "replicas.max": ("maxReplicas", "maxScale"),
    "autoscaling": (
        *("hpa", "autoscaler", "horizontalPodAutoscaler", "keda", "scaledObject", "triggers"),
    ),
    "resources.requests": ("cpu", "memory", "requests"),
    "resources.limits": ("limits",),
    "resources.gpu": ("gpu", "gpus", "nvidia.com/gpu", "accelerator", "accelerators"),
    "resources.tpu": ("tpu", "tpus", "google.com/tpu"),
    "shared_memory": ("shm", "shmSize", "ipc", "dshm"),
    "temporary_storage": ("ephemeral-storage", "tmp", "scratch"),
    "exposure": (
        *("service", "ingress", "route", "httpRoute", "gateway", "loadBalancer", "host", "hosts"),
        *("paths", "expose", "domain", "tls"),
    ),
    "exposure.kind": ("serviceType", "type"),
    "exposure.timeout_seconds": ("timeout", "timeoutSeconds", "requestTimeout"),
    "node_pool": ("nodeSelector", "nodeName", "node", "pool"),
    "spread": ("affinity", "podAntiAffinity", "topologySpreadConstraints", "topology"),
    "priority": ("priorityClassName", "priorityClass"),
    "rollout": ("strategy", "updateStrategy", "deploymentStrategy", "rollingUpdate"),
    "rollout.max_surge": ("maxSurge",),
    "rollout.max_unavailable": ("maxUnavailable",),
    "disruption": ("pdb", "podDisruptionBudget"),
    "drain_seconds": (
        *("terminationGracePeriodSeconds", "gracePeriodSeconds", "lifecycle", "preStop"),
    ),
    "startup_seconds": ("startupProbe", "initialDelaySeconds", "progressDeadlineSeconds"),
    "custom.ready": ("readinessProbe", "probes", "probe", "healthCheck", "healthcheckPath"),
    "custom.alive": ("livenessProbe",),
    "custom.command": ("command", "entrypoint", "cmd"),
    "custom.rest_port": ("ports", "port", "containerPort", "containerPorts", "targetPort"),
    "custom.metrics": ("metrics", "serviceMonitor", "podMonitor", "podMonitoring", "prometheus"),
    "pod.containers": ("containers", "sidecars", "sidecar", "extraContainers"),
    "pod.init_containers": ("initContainers", "initContainer", "extraInitContainers"),
    "pod.volumes": (
        *(
            "volumes",
            "volumeMounts",
            "extraVolumes",
            "extraVolumeMounts",
            "configMap",
            "configMaps",
        ),
        *("volumeClaimTemplates", "persistentVolumeClaim", "pvc"),
    ),
    "pod.image_pull_secrets": ("imagePullSecrets", "pullSecrets", "pullSecret"),
    "pod.user": ("securityContext", "podSecurityContext", "runAsUser", "user"),
    "pod.group": ("runAsGroup",),
    "pod.fs_group": ("fsGroup",),
    "pod.annotations": ("annotations", "podAnnotations"),
    "pod.labels": ("labels", "podLabels"),
}
"""Our key, and the words that people write for it."""

_NOTES = {
    "custom": "with server: custom; a preset has its own",
    "node_pool": "the pool's tolerations are added",
}
"""What else to know of a key, by its first part."""

_NOT_OFFERED = (
    *("tolerations", "activeDeadlineSeconds", "apiVersion", "automountServiceAccountToken"),
    *("capabilities", "cronJob", "daemonSet", "deployment", "dnsConfig", "dnsPolicy"),
    *("enableServiceLinks", "ephemeralContainers", "hostAliases", "hostIPC", "hostNetwork"),
    *("hostPath", "hostPID", "hostPort", "hostUsers", "hostname", "imagePullPolicy", "job"),
    *("job_template", "kind", "matchLabels", "metadata", "minReadySeconds", "networkPolicy", "os"),
    *("overhead", "paused", "podTemplate", "preemptionPolicy", "privileged", "readinessGates"),
    *("restartPolicy", "revisionHistoryLimit", "runtimeClass", "runtimeClassName"),
    *("schedulerName", "schedulingGates", "selector", "serviceAccount", "serviceAccountName"),
    *("setHostnameAsFQDN", "shareProcessNamespace", "spec", "statefulSet", "stdin", "subdomain"),
    *("sysctls", "template", "terminationMessagePath", "terminationMessagePolicy", "transformer"),
    *("explainer", "tty", "vpa", "workingDir"),
)


_LACKING: dict[tuple[str, str], str] = {
    ("gateway", "retries"): (
        "GKE's Gateway controller has no retries (HTTPRoute.retry is experimental); retry in the "
        "caller, or set kind: http-load-balancer"
    ),
    ("gateway", "protocol"): (
        "GKE's Gateway controller has no gRPC routes, and no HTTP/2 to pods without TLS; set kind: "
        "http-load-balancer, or for gRPC kind: load-balancer"
    ),
    ("gateway", "session_affinity"): (
        "it is a key of all models of this kind: gke-serving:gateway.session_affinity"
    ),
    ("gateway", "mirror"): "the key for it is canary.mirror of the model",
    ("gateway", "cdn"): (
        "answers of models are not cached; Cloud CDN serves gke-networking:static_files"
    ),
    ("http-load-balancer", "require_iap"): "the key of this kind is iap, with its members",
    ("http-load-balancer", "security_policy"): (
        "the policy of all models of this kind is gke-networking:armor"
    ),
    ("http-load-balancer", "session_affinity"): (
        "it is a key of all models of this kind: gke-networking:backends.session_affinity"
    ),
    ("http-load-balancer", "mirror"): "the key for it is canary.mirror of the model",
    ("http-load-balancer", "cdn"): (
        "answers of models are not cached; Cloud CDN serves gke-networking:static_files"
    ),
}
"""Keys that a kind of exposure lacks, and what to do instead."""


def lacking(kind: str, word: str) -> str | None:
    """What to do in place of the key `word` that a kind of exposure lacks; None if unknown."""
    return _LACKING.get((kind, word))


def _plain(word: str) -> str:
    return _SEPARATORS.sub("", word.lower())


_KEYS = {
    **{_plain(word): "" for word in _NOT_OFFERED},
    **{_plain(word): key for key, words in _EQUIVALENTS.items() for word in words},
}


def remedy(word: str, place: str) -> str | None:
    """What to write in place of the unknown key `word` at `place`; None if it is not foreign.

    `place` is the key that contains it, as `.models[0].resources`. Spelling does not matter:
    `nodeSelector` and `node_selector` are the same.
    """
    key = _KEYS.get(_plain(word)) if _MODEL.match(place) else None
    if key is None:
        return None
    if not key:
        return f"a model has no such key; {PAGE} says what to do instead"
    note = _NOTES.get(key.partition(".")[0])
    return f"the key of a model for it is {key}{f' ({note})' if note else ''}; see also {PAGE}"


def equivalents() -> dict[str, tuple[str, ...]]:
    """Our keys, and the words that people write for them."""
    return dict(_EQUIVALENTS)
