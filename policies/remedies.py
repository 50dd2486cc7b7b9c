"""Remedies in the terms of Kubernetes, for manifests that this platform's stacks do not declare.

A rule's `fix` names the configuration key of our own stacks. Somebody else's manifest has none.
"""

from types import MappingProxyType

from policies.rule import Rule
from policies.subjects import Resource

IN_MANIFESTS = MappingProxyType(
    {
        "adapters-are-not-changed-by-callers": "add a --middleware that answers 403 to callers "
        "outside the pod on /v1/load_lora_adapter and /v1/unload_lora_adapter, or load adapters by "
        "--lora-modules",
        "autoscaled-workload-requests-what-is-measured": "set resources.requests of the measured "
        "resource in every container",
        "autoscaler-has-room-to-scale": "set spec.maxReplicas above spec.minReplicas",
        "compute-classes-own-their-pools": "put the label and the taint "
        "cloud.google.com/compute-class with the name of the class on the node pool",
        "compute-classes-create-nodes-like-declared-ones": "set serviceAccount to an account of "
        "its own and imageType to cos_containerd in spec.nodePoolConfig, and set "
        "spec.whenUnsatisfiable to DoNotScaleUp",
        "compute-classes-create-nodes-within-limits": "enable node auto-provisioning of the "
        "cluster, with limits of cpu and memory",
        "containers-have-probes": "add a readinessProbe and a livenessProbe to the container",
        "containers-state-requests-and-limits": "set resources.requests for cpu and memory, and "
        "resources.limits.memory",
        "secrets-stay-out-of-pod-specs": "keep it in a Secret and refer to it by "
        "valueFrom.secretKeyRef, or mount it as a file",
        "disruption-budget-allows-a-drain": "set maxUnavailable to 1, or minAvailable below the "
        "number of replicas",
        "gateways-get-keys-from-secrets": "leave `credentials` out of the ConfigMap, and give "
        "Envoy the keys from a Secret, by a file of routes that is followed",
        "audit-logs-of-callers-have-a-place": "route its lines to a log bucket by a sink of Cloud "
        "Logging",
        "gateway-services-are-behind-cloud-armor": "name a security policy in "
        "spec.default.securityPolicy of a GCPBackendPolicy of the Service",
        "gateways-terminate-tls": "add an HTTPS listener with tls.certificateRefs, or the "
        "annotation networking.gke.io/certmap",
        "grace-period-outlasts-the-pre-stop-hook": "set terminationGracePeriodSeconds above the "
        "preStop sleep",
        "images-are-pinned-by-digest": "add the digest: `image: registry/name:tag@sha256:…`",
        "images-name-a-version": "use a version tag or a digest in image",
        "inference-pools-are-behind-cloud-armor": "name a regional security policy in "
        "spec.default.securityPolicy of a GCPBackendPolicy of the pool",
        "inference-pools-have-iap-where-asked": "set spec.default.iap.enabled in the pool's "
        "GCPBackendPolicy, or remove the pool from the rule's parameter",
        "ingress-controllers-are-maintained": "use a maintained controller or a Gateway",
        "import-tokens-come-from-secret-manager": "declare a SecretSync of the Secret's name",
        "ingresses-name-their-class": "set spec.ingressClassName",
        "ingresses-terminate-tls": "set spec.tls with a Secret for each host, or a managed "
        "certificate in the annotations",
        "memory-limits-are-near-requests": "raise resources.requests.memory towards the limit",
        "namespaces-have-a-network-policy": "declare a NetworkPolicy in the namespace",
        "namespaces-have-a-quota": "declare a ResourceQuota in the namespace",
        "objects-have-a-namespace": "set metadata.namespace",
        "pods-are-behind-a-network-policy": "declare a NetworkPolicy whose podSelector selects it",
        "pods-ask-for-pools-that-exist": "select a node pool that exists in nodeSelector",
        "pods-select-compute-classes-that-exist": "select a compute class that exists in "
        "nodeSelector",
        "pods-mount-no-token-without-need": "set automountServiceAccountToken to false in the pod "
        "or its ServiceAccount",
        "pods-on-spot-nodes-end-quickly": "set terminationGracePeriodSeconds to 25 or less",
        "postgres-has-a-standby": "set spec.numberOfInstances to 2 or more",
        "postgres-is-backed-up": "enable the operator's backups for the cluster",
        "postgres-is-supported": "set spec.postgresql.version to a supported version",
        "postgres-states-its-size": "set spec.volume.size and spec.resources.requests",
        "postgres-users-are-no-superusers": "give the application's user no flags in spec.users, "
        "and ownership of its database",
        "replicas-are-spread": "add topologySpreadConstraints or podAntiAffinity over zones or "
        "hosts, with a selector of the own pods",
        "replicas-have-a-disruption-budget": "declare a PodDisruptionBudget for its pods",
        "roles-leave-nodes-and-admission-alone": "grant only what is needed",
        "roles-name-what-they-grant": "grant only what is needed",
        "rollouts-keep-pods-serving": "use RollingUpdate with maxUnavailable below the number of "
        "replicas",
        "services-name-their-callers": "use type ClusterIP behind an Ingress or Gateway, or set "
        "spec.loadBalancerSourceRanges",
        "serving-containers-pause-before-they-stop": "add lifecycle.preStop.sleep of a few seconds",
        "slow-starts-have-a-startup-probe": "add a startupProbe to the container",
        "workloads-survive-the-loss-of-a-pod": "set spec.replicas to 2 or more",
    }
)
"""Remedy by rule id; other rules' fixes are in Kubernetes' terms already."""


def remedy(rule: Rule, resource: Resource) -> str:
    """Return what to do about a violation, in the terms of the resource's source."""
    if resource.origin == "manifest":
        return IN_MANIFESTS.get(rule.id, rule.fix)
    return rule.fix
