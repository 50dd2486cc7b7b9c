"""The component of KEDA: definitions, operator, metrics adapter, RBAC and Google identity."""

from collections.abc import Sequence

import pulumi
from pulumi_gcp import projects, serviceaccount
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apiregistration import v1 as apiregistration
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.rbac import v1 as rbac

from gkeplatform.contracts import ClusterContract
from gkeplatform.labels import Labels
from gkeplatform.naming import SERVICE_ACCOUNT, Naming
from infra.serving import waits
from infra.serving.controller_namespace import controller_namespace
from infra.serving.manifest import Manifest, role_reference, sdk
from infra.serving.scaling import keda_definitions, keda_roles, scaled_object
from infra.serving.scaling import keda_manifests as manifests
from infra.serving.scaling.keda_manifests import ACCOUNT, ADAPTER, NAMESPACE, OPERATOR

VIEWER = "roles/monitoring.viewer"


class Keda(pulumi.ComponentResource):
    """KEDA in a namespace of its own. It reads the project's metrics by workload identity."""

    def __init__(
        self,
        name: str,
        *,
        workload_pool: str,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:Keda", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._labels = labels.kubernetes(name=name, component="autoscaler")
        self._inside, kinds = controller_namespace(
            name,
            self._metadata(name),
            network_policy=manifests.network_policy(),
            definitions=keda_definitions.definitions(),
            parent=self,
        )
        rights = [*self._identity(name, workload_pool, naming), *self._rbac()]
        running = pulumi.ResourceOptions(parent=self, depends_on=[*kinds, *rights])
        operator = self._deployment(OPERATOR, manifests.operator(self._labels), running)
        adapter = self._deployment(
            ADAPTER,
            manifests.adapter(self._labels),
            pulumi.ResourceOptions(parent=self, depends_on=[operator]),
        )
        apiregistration.APIService(
            name,
            metadata=sdk({"name": keda_roles.API_SERVICE, "labels": self._labels}),
            spec=sdk(manifests.api_service()),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[adapter]),
        )
        CustomResource(
            scaled_object.AUTHENTICATION,
            api_version=scaled_object.API,
            kind="ClusterTriggerAuthentication",
            metadata=sdk({"name": scaled_object.AUTHENTICATION, "labels": self._labels}),
            spec={"podIdentity": {"provider": "gcp"}},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[operator]),
        )
        self.register_outputs({})

    def _identity(self, name: str, workload_pool: str, naming: Naming) -> list[pulumi.Resource]:
        """The Google account, and the Kubernetes one that acts as it."""
        environment = naming.environment
        google = serviceaccount.Account(
            name,
            account_id=naming.of(name, longest=SERVICE_ACCOUNT),
            display_name=f"KEDA ({environment.name})",
            opts=self._child,
        )
        return [
            serviceaccount.IAMMember(
                f"{name}-workload-identity",
                service_account_id=google.name,
                role="roles/iam.workloadIdentityUser",
                member=f"serviceAccount:{workload_pool}[{NAMESPACE}/{ACCOUNT}]",
                opts=self._child,
            ),
            projects.IAMMember(
                name,
                project=environment.project,
                role=VIEWER,
                member=google.member,
                opts=self._child,
            ),
            core.ServiceAccount(
                name,
                metadata=sdk(
                    {
                        **self._metadata(ACCOUNT),
                        "annotations": {"iam.gke.io/gcp-service-account": google.email},
                    }
                ),
                opts=self._inside,
            ),
        ]

    def _rbac(self) -> list[pulumi.Resource]:
        account: Manifest = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}
        autoscaler: Manifest = {
            "kind": "ServiceAccount",
            "name": "horizontal-pod-autoscaler",
            "namespace": "kube-system",
        }
        reader = "keda-external-metrics-reader"
        own = self._metadata(OPERATOR)
        cluster_wide: Manifest = {"name": OPERATOR, "labels": self._labels}
        reading: Manifest = {"name": reader, "labels": self._labels}
        system: Manifest = {"name": "keda-auth-reader", "namespace": "kube-system"}
        return [
            rbac.Role(
                OPERATOR,
                metadata=sdk(own),
                rules=sdk(keda_roles.namespace_rules()),
                opts=self._inside,
            ),
            self._binding(OPERATOR, own, OPERATOR, account),
            rbac.ClusterRole(
                OPERATOR,
                metadata=sdk(cluster_wide),
                rules=sdk(keda_roles.cluster_rules()),
                opts=self._child,
            ),
            self._cluster_binding(OPERATOR, OPERATOR, account),
            rbac.ClusterRole(
                reader,
                metadata=sdk(reading),
                rules=sdk(keda_roles.reader_rules()),
                opts=self._child,
            ),
            self._cluster_binding(reader, reader, autoscaler),
            # The adapter lets the API server authenticate and authorize its callers.
            self._cluster_binding("keda-auth-delegator", "system:auth-delegator", account),
            self._binding(
                "keda-auth-reader",
                {**system, "labels": self._labels},
                "extension-apiserver-authentication-reader",
                account,
            ),
        ]

    def _binding(
        self, key: str, metadata: Manifest, role: str, subject: Manifest
    ) -> pulumi.Resource:
        return rbac.RoleBinding(
            key,
            metadata=sdk(metadata),
            role_ref=sdk(role_reference("Role", role)),
            subjects=sdk([subject]),
            opts=self._inside,
        )

    def _cluster_binding(self, key: str, role: str, subject: Manifest) -> pulumi.Resource:
        return rbac.ClusterRoleBinding(
            key,
            metadata=sdk({"name": key, "labels": self._labels}),
            role_ref=sdk(role_reference("ClusterRole", role)),
            subjects=sdk([subject]),
            opts=self._inside,
        )

    def _deployment(
        self, name: str, spec: Manifest, opts: pulumi.ResourceOptions
    ) -> apps.Deployment:
        metadata = self._metadata(name)
        core.Service(
            name,
            metadata=sdk({**metadata, "annotations": waits.NOTHING}),
            spec=sdk(manifests.service(name)),
            opts=opts,
        )
        return apps.Deployment(name, metadata=sdk(metadata), spec=sdk(spec), opts=opts)

    def _metadata(self, name: str) -> Manifest:
        return {"name": name, "namespace": NAMESPACE, "labels": self._labels}


def keda(
    name: str,
    *,
    needed: bool,
    cluster: ClusterContract,
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> Sequence[pulumi.Resource]:
    """KEDA, if `needed`; models depend on the result."""
    if not needed:
        return []
    return [
        Keda(name, workload_pool=cluster.workload_pool, naming=naming, labels=labels, opts=opts)
    ]
