"""The Google services that the sandbox stands in for: one row each.

This is the only list of services. Everything else is derived from it: the emulated services, the
discovery documents, the environment of `sandbox env`, the plugin's addresses and resource types,
and the names in error messages. To add a service, add a row here and a module named like it in
`sandbox/gcp/services/` (and in `sandbox/plugins/gcp/services/`, when programs declare it), then
run `python -m sandbox.gcp.documents_update`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HOST = "googleapis.com"
_ALL: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleService:
    """One Google service, under the name that its discovery documents and its host have."""

    name: str
    title: str
    """The API's title as Service Usage and error messages spell it."""
    documents: Mapping[str, frozenset[str]]
    """Version → top-level resources kept of its discovery document; an empty set keeps all."""
    endpoints: Mapping[str, str]
    """What the provider calls the service → the path below the host that it expects.

    `KMS` is the variable `GOOGLE_KMS_CUSTOM_ENDPOINT` and the option `kmsCustomEndpoint`. The
    plugin of the sandbox reads the first; the others are set for the official one.
    """
    packages: tuple[str, ...] = ()
    """Packages of pulumi_gcp whose types the plugin has; each is a module of the plugin."""
    prefixed: bool = False
    """Whether its paths begin with its name (`compute/v1/…`), also below its own host.

    These are the older APIs, whose errors list reasons instead of naming a status.
    """
    lists_errors: bool = False
    """Whether the errors of a newer API list reasons as well, for clients that send `alt=json`."""
    served_as: Mapping[str, str] = field(default_factory=dict)
    """Versions without a document of their own → the version that answers for them."""
    needs_enabling: bool = False
    """Whether calls are refused until the project has enabled the API."""
    ignores_unknown_names: bool = False
    """Whether names in a request's body that no schema has are ignored, not refused.

    The official plugin sends compute two such names in every network and router with NAT
    (`deleteBgpAlwaysCompareMed`, `initialNatIps`). Of storage, a misplaced `storageClass` in a
    lifecycle rule was passed over (googleapis/google-cloud-python #5877).
    """

    @property
    def host(self) -> str:
        """The host, such as `compute.googleapis.com`; also the name that Service Usage uses."""
        return f"{self.name}.{HOST}"

    @property
    def official_address(self) -> str:
        """The address at Google that the plugin's paths follow, ending in a slash."""
        return f"https://{self.host}/{next(iter(self.endpoints.values()))}"

    @property
    def option(self) -> str:
        """The provider's option for the address, such as `gkeBackupCustomEndpoint`."""
        first, *others = next(iter(self.endpoints)).lower().split("_")
        return "".join([first, *map(str.capitalize, others), "CustomEndpoint"])

    @property
    def variable(self) -> str:
        """The variable of the same meaning, such as `GOOGLE_GKE_BACKUP_CUSTOM_ENDPOINT`."""
        return _variable(next(iter(self.endpoints)))

    def addresses(self, api: str) -> dict[str, str]:
        """Each variable with its value, for an emulated API at `api` (no slash at its end)."""
        base = f"{api}/" if self.prefixed else f"{api}/{self.name}/"
        return {_variable(name): f"{base}{path}" for name, path in self.endpoints.items()}


def _variable(name: str) -> str:
    return f"GOOGLE_{name}_CUSTOM_ENDPOINT"


_COMPUTE_RESOURCES = frozenset(
    [
        "acceleratorTypes",
        "addresses",
        "backendBuckets",
        "backendServices",
        "firewalls",
        "forwardingRules",
        "globalAddresses",
        "globalForwardingRules",
        "globalNetworkEndpointGroups",
        "globalOperations",
        "healthChecks",
        "httpHealthChecks",
        "httpsHealthChecks",
        "instanceGroupManagers",
        "instanceGroups",
        "machineTypes",
        "networkEndpointGroups",
        "networks",
        "projects",
        "regionBackendServices",
        "regionHealthChecks",
        "regionNetworkEndpointGroups",
        "regionOperations",
        "regionSecurityPolicies",
        "regionSslCertificates",
        "regionTargetHttpProxies",
        "regionTargetHttpsProxies",
        "regionUrlMaps",
        "regions",
        "resourcePolicies",
        "routers",
        "routes",
        "securityPolicies",
        "sslCertificates",
        "sslPolicies",
        "subnetworks",
        "targetGrpcProxies",
        "targetHttpProxies",
        "targetHttpsProxies",
        "targetPools",
        "targetSslProxies",
        "targetTcpProxies",
        "urlMaps",
        "zoneOperations",
        "zones",
    ]
)
_PROJECTS = frozenset({"projects", "operations"})

# In the order in which they start.
SERVICES = (
    GoogleService(
        name="compute",
        title="Compute Engine API",
        documents={"v1": _COMPUTE_RESOURCES},
        endpoints={"COMPUTE": "compute/v1/", "COMPUTE_BETA": "compute/beta/"},
        packages=("compute",),
        prefixed=True,
        served_as={"alpha": "v1", "beta": "v1"},
        needs_enabling=True,
        ignores_unknown_names=True,
    ),
    GoogleService(
        name="container",
        title="Kubernetes Engine API",
        documents={"v1": _ALL, "v1beta1": _ALL},
        endpoints={"CONTAINER": "v1/", "CONTAINER_BETA": "v1beta1/"},
        packages=("container",),
        needs_enabling=True,
        lists_errors=True,
    ),
    GoogleService(
        name="iam",
        title="Identity and Access Management (IAM) API",
        documents={"v1": frozenset({"projects", "roles"})},
        endpoints={"IAM": "v1/", "IAM_BETA": "v1/"},
        packages=("serviceaccount",),
        lists_errors=True,
    ),
    GoogleService(
        name="serviceusage",
        title="Service Usage API",
        documents={"v1": _ALL},
        endpoints={"SERVICE_USAGE": "v1/"},
        lists_errors=True,
    ),
    GoogleService(
        name="cloudresourcemanager",
        title="Cloud Resource Manager API",
        documents={"v1": _PROJECTS, "v3": _PROJECTS},
        endpoints={
            "RESOURCE_MANAGER": "v1/",
            "RESOURCE_MANAGER_V3": "v3/",
            "CLOUD_RESOURCE_MANAGER": "v1/",
        },
        packages=("projects",),
        lists_errors=True,
    ),
    GoogleService(
        name="storage",
        title="Cloud Storage JSON API",
        documents={"v1": _ALL},
        endpoints={"STORAGE": "storage/v1/"},
        packages=("storage",),
        prefixed=True,
        ignores_unknown_names=True,
    ),
    GoogleService(
        name="monitoring",
        title="Cloud Monitoring API",
        documents={
            "v1": frozenset({"projects"}),
            "v3": frozenset({"projects", "services", "uptimeCheckIps"}),
        },
        endpoints={"MONITORING": ""},
        packages=("monitoring",),
    ),
    GoogleService(
        name="certificatemanager",
        title="Certificate Manager API",
        documents={"v1": _ALL},
        endpoints={"CERTIFICATE_MANAGER": "v1/"},
        packages=("certificatemanager",),
    ),
    GoogleService(
        name="cloudkms",
        title="Cloud Key Management Service (KMS) API",
        documents={"v1": frozenset({"projects"})},
        endpoints={"KMS": "v1/"},
        packages=("kms",),
        needs_enabling=True,
    ),
    GoogleService(
        name="dns",
        title="Cloud DNS API",
        documents={
            "v1": frozenset(
                [
                    "changes",
                    "managedZoneOperations",
                    "managedZones",
                    "projects",
                    "resourceRecordSets",
                ]
            )
        },
        endpoints={"DNS": "dns/v1/"},
        packages=("dns",),
        prefixed=True,
    ),
    GoogleService(
        name="billingbudgets",
        title="Cloud Billing Budget API",
        documents={"v1": _ALL},
        # BILLING is what earlier versions of the provider called it.
        endpoints={"BILLING_BUDGETS": "v1/", "BILLING": "v1/"},
        packages=("billing",),
    ),
    GoogleService(
        name="cloudbilling",
        title="Cloud Billing API",
        documents={"v1": frozenset({"projects"})},
        endpoints={"CLOUD_BILLING": "v1/"},
    ),
    GoogleService(
        name="gkebackup",
        title="Backup for GKE API",
        documents={"v1": _ALL},
        endpoints={"GKE_BACKUP": "v1/"},
        packages=("gkebackup",),
        needs_enabling=True,
    ),
    GoogleService(
        name="pubsub",
        title="Cloud Pub/Sub API",
        documents={"v1": _ALL},
        endpoints={"PUBSUB": "v1/"},
        packages=("pubsub",),
        needs_enabling=True,
    ),
    GoogleService(
        name="secretmanager",
        title="Secret Manager API",
        documents={"v1": frozenset({"projects"})},
        endpoints={"SECRET_MANAGER": "v1/"},
        packages=("secretmanager",),
        needs_enabling=True,
    ),
    GoogleService(
        name="iap",
        title="Cloud Identity-Aware Proxy API",
        documents={"v1": frozenset({"v1"})},
        endpoints={"IAP": "v1/"},
        packages=("iap",),
        needs_enabling=True,
    ),
    GoogleService(
        name="logging",
        title="Cloud Logging API",
        documents={"v2": frozenset({"projects"})},
        endpoints={"LOGGING": "v2/"},
        packages=("logging",),
        needs_enabling=True,
    ),
    GoogleService(
        name="networkconnectivity",
        title="Network Connectivity API",
        documents={"v1": frozenset({"projects"})},
        endpoints={"NETWORK_CONNECTIVITY": "v1/"},
        needs_enabling=True,
    ),
)


def find(name: str) -> GoogleService | None:
    """The row of a service; None for one that the sandbox does not have."""
    return next((service for service in SERVICES if service.name == name), None)


def named(name: str) -> GoogleService:
    """The row of a service. Raises KeyError."""
    found = find(name)
    if found is None:
        raise KeyError(name)
    return found


def addresses(api: str) -> dict[str, str]:
    """The variables that lead the provider to an emulated API at `api`."""
    return {
        variable: address
        for service in SERVICES
        for variable, address in service.addresses(api).items()
    }
