"""Keys of Kubernetes, Helm charts and KServe that people write in a model, and ours for them.

Data for messages about unknown keys. What has no key of ours is in docs/guides/not-offered.md.
"""

import re

PAGE = "docs/guides/not-offered.md"

_MODEL = re.compile(r"^\.models\[\d+\]\.?(?P<section>.*)$")
_INDEX = re.compile(r"\[\d+\]")
_SEPARATORS = re.compile(r"[^a-z0-9]")

_EQUIVALENTS: dict[str, tuple[str, ...]] = {
    "environment": (
        *("env", "env_vars", "envFrom", "variables", "secret", "secrets", "secretRef"),
        *("hf_token", "hfToken", "huggingFaceToken", "api_key", "vllmApiKey", "token"),
    ),
    "arguments": (
        *("args", "extraArgs", "flags", "options", "vllmConfig", "engineArgs", "engine_args"),
        *("tensorParallelSize", "pipelineParallelSize", "maxModelLen", "max_model_length", "dtype"),
        *("quantization", "gpuMemoryUtilization", "enablePrefixCaching", "maxNumSeqs"),
        *("batching", "maxBatchSize", "batch_size", "parameters", "extraParams"),
    ),
    "image": (*("repository", "tag", "imageTag", "container_image", "version", "runtimeVersion"),),
    "server": (
        *("runtime", "predictor", "framework", "modelFormat", "backend", "engine"),
        *("implementation", "serverType", "protocolVersion", "protocol"),
    ),
    "adapters": ("loras", "loraModules", "lora_modules", "loraAdapters", "lora_adapters"),
    "import": ("huggingface", "hugging_face", "hf", "hub", "hfModel", "hf_model"),
    "source": (
        *("model", "modelUri", "storageUri", "model_path", "model_id", "bucket", "path"),
        *("modelURL", "model_base_path", "model_repository", "modelRepository", "uri", "url"),
    ),
    "served_name": ("model_name", "served_model_name"),
    "files": ("storage", "persistence", "download", "initializer", "pvcStorage", "cache"),
    "team": ("namespace",),
    "replicas": ("replicaCount", "instances", "scale", "desired", "size"),
    "replicas.min": ("minReplicas", "minScale", "minReplicaCount"),
    "replicas.max": ("maxReplicas", "maxScale", "maxReplicaCount"),
    "autoscaling": (
        *("hpa", "autoscaler", "horizontalPodAutoscaler", "keda", "scaledObject", "triggers"),
        *("scaleTarget", "scaleMetric", "containerConcurrency", "concurrency", "behavior"),
    ),
    "canary": ("canaryTrafficPercent", "traffic", "trafficSplit", "weight", "weights", "shadow"),
    "resources.requests": (
        *("cpu", "memory", "requests", "requestCPU", "requestMemory", "cpuRequest"),
        *("memoryRequest",),
    ),
    "resources.limits": ("limits", "limitCPU", "limitMemory", "cpuLimit", "memoryLimit"),
    "resources.gpu": (
        *("gpu", "gpus", "nvidia.com/gpu", "accelerator", "accelerators", "requestGPU"),
        *("requestGPUType", "gpuCount", "gpuType", "num_gpus"),
    ),
    "resources.tpu": ("tpu", "tpus", "google.com/tpu"),
    "shared_memory": ("shm", "shmSize", "ipc", "dshm"),
    "temporary_storage": ("ephemeral-storage", "tmp", "scratch"),
    "exposure": (
        *("service", "ingress", "route", "httpRoute", "gateway", "loadBalancer", "host", "hosts"),
        *("paths", "expose", "domain", "tls", "iap", "auth", "rewrite", "retries", "certificate"),
    ),
    "exposure.kind": ("serviceType", "type"),
    "exposure.timeout_seconds": ("timeout", "timeoutSeconds", "requestTimeout"),
    "node_pool": (
        *("nodeSelector", "nodeName", "node", "pool", "spot", "preemptible", "machine_type"),
        *("instance_type", "nodeSelectorTerms", "nodePool", "zone", "region"),
    ),
    "spread": ("affinity", "podAntiAffinity", "topologySpreadConstraints", "topology", "zones"),
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
    "pod.annotations": ("annotations", "podAnnotations", "description", "comment", "notes"),
    "pod.labels": ("labels", "podLabels", "owner", "tags", "costCenter"),
}
"""Our key, and the words that people write for it."""

_BELOW: dict[str, dict[str, tuple[str, ...]]] = {
    "exposure": {
        "a port is the server's own: the preset's, or custom.rest_port": (
            *("port", "ports", "targetPort", "containerPort", "servicePort"),
        ),
        "certificates are the load balancer's: gke-networking:certificates": (
            *("tls", "certificate", "certificates", "ssl", "https"),
        ),
        "": ("annotations", "internal", "loadBalancerIP", "externalTrafficPolicy", "cors"),
    },
    "environment": {
        "write {secret: NAME, key: KEY}; see docs/guides/secrets.md": (
            *("valueFrom", "secretKeyRef", "secretRef", "secretName"),
        ),
        "write {config_map: NAME, key: KEY}": ("configMapKeyRef", "configMapRef"),
        "": ("fieldRef", "resourceFieldRef", "fileKeyRef"),
    },
    "pod.volumes": {
        "write claim: NAME": ("persistentVolumeClaim", "claimName", "pvc"),
        "write secret: NAME": ("secretName",),
        "write ephemeral: {size: 100Gi}": ("volumeClaimTemplate",),
        "": ("csi", "nfs", "projected", "downwardAPI", "hostPath", "gcePersistentDisk", "image"),
    },
    "autoscaling": {
        "write cpu_utilization: PERCENT": (
            *("cpu", "targetCPUUtilizationPercentage", "targetCPU", "averageUtilization"),
        ),
        "write memory_utilization: PERCENT": (
            *("memory", "targetMemoryUtilizationPercentage", "targetMemory"),
        ),
        "write replicas.min": ("min", "minReplicas", "minReplicaCount", "minScale"),
        "write replicas.max": ("max", "maxReplicas", "maxReplicaCount", "maxScale"),
        "write metrics": ("triggers", "customMetrics", "scaleMetric"),
        "write scale_up and scale_down": ("behavior", "policies"),
        "write scale_up_after_seconds or scale_down_after_seconds": (
            *("stabilizationWindowSeconds", "scaleDownDelay", "scaleUpDelay"),
        ),
        "write scale_to_zero_after_seconds": ("cooldownPeriod", "scaleToZeroPodRetentionPeriod"),
    },
    "resources.gpu": {
        "write type: nvidia-l4, as GCP spells it": ("model", "name", "kind", "product"),
        "memory is what the type has": ("memory", "vram"),
    },
}
"""By section of an entry: what to write there (empty: not offered), and people's words for it."""

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
    *("explainer", "tty", "vpa", "workingDir", "workerSpec", "multiNode", "leaderWorkerSet"),
    *("graph", "componentSpecs", "cors", "rateLimit", "rate_limit", "schedule", "cron", "helm"),
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


def plain(word: str) -> str:
    """The word without the marks by which spellings differ: `nodeSelector`, `node_selector`."""
    return _SEPARATORS.sub("", word.lower())


_KEYS = {
    **{plain(word): "" for word in _NOT_OFFERED},
    **{plain(word): key for key, words in _EQUIVALENTS.items() for word in words},
}
_SECTIONS = {
    section: {plain(word): advice for advice, words in advised.items() for word in words}
    for section, advised in _BELOW.items()
}
_WIDE = ("autoscaling", "custom", "pod", "resources")
"""Sections in which people write what belongs to the entry."""
_ELSEWHERE = f"a model has no such key; {PAGE} says what to do instead"


def remedy(word: str, place: str) -> str | None:
    """What to write in place of the unknown key `word` at `place`; None if it is not foreign.

    `place` is the key that contains it, as `.models[0].resources`. Spelling does not matter:
    `nodeSelector` and `node_selector` are the same.
    """
    match = _MODEL.match(place)
    if match is None:
        return None
    section = _INDEX.sub("", match["section"])
    for below, words in _SECTIONS.items():
        if section == below or section.startswith(f"{below}."):
            advice = words.get(plain(word))
            if advice is not None:
                return advice or _ELSEWHERE
    key = _KEYS.get(plain(word))
    if key is None or (key and key == section):
        return None
    # In a narrow section the word means something else: `path` of an exposure is no source.
    if key and section.partition(".")[0] not in ("", *_WIDE, key.partition(".")[0]):
        return None
    if not key:
        return _ELSEWHERE
    note = _NOTES.get(key.partition(".")[0])
    return f"the key of a model for it is {key}{f' ({note})' if note else ''}; see also {PAGE}"


def equivalents() -> dict[str, tuple[str, ...]]:
    """Our keys, and the words that people write for them."""
    return dict(_EQUIVALENTS)
