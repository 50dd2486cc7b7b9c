"""The component of a namespace of models and of the identity of its model servers."""

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_gcp import serviceaccount
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.networking import v1 as networking

from gkeplatform.labels import Labels
from gkeplatform.naming import SERVICE_ACCOUNT, Naming
from infra.serving.manifest import Manifest, sdk
from infra.serving.tenancy import teams
from infra.serving.tenancy.network_policies import network_policies
from infra.serving.tenancy.teams import Team
from infra.serving.tenancy.tenants import Tenant

ACCOUNT = "model-server"


class ModelsNamespace(pulumi.ComponentResource):
    """A namespace under the restricted Pod Security Standard, and the models' two accounts.

    The Kubernetes service account acts as the Google one by workload identity, without a key.
    """

    name: str
    team: Team | None
    account: str
    namespace: core.Namespace
    kubernetes_account: core.ServiceAccount
    google_account: serviceaccount.Account

    def __init__(
        self,
        name: str,
        tenant: Tenant,
        *,
        workload_pool: str,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:ModelsNamespace", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        team = tenant.team
        self.name = tenant.namespace
        self.team = team
        self.account = ACCOUNT
        self.namespace = core.Namespace(
            name,
            metadata={
                "name": tenant.namespace,
                "labels": {
                    **labels.kubernetes(name=tenant.namespace, component="namespace"),
                    "pod-security.kubernetes.io/enforce": "restricted",
                },
            },
            opts=child,
        )
        self._inside = pulumi.ResourceOptions(parent=self, depends_on=[self.namespace])
        self.google_account = serviceaccount.Account(
            name,
            account_id=naming.of(
                f"{team.name}-models" if team else "models", longest=SERVICE_ACCOUNT
            ),
            display_name=f"Model servers ({naming.environment.name}"
            f"{f', team {team.name}' if team else ''})",
            opts=child,
        )
        serviceaccount.IAMMember(
            f"{team.name}-workload-identity" if team else "workload-identity",
            service_account_id=self.google_account.name,
            role="roles/iam.workloadIdentityUser",
            member=f"serviceAccount:{workload_pool}[{tenant.namespace}/{ACCOUNT}]",
            opts=child,
        )
        self.kubernetes_account = core.ServiceAccount(
            name,
            metadata={
                "name": ACCOUNT,
                "namespace": tenant.namespace,
                "labels": labels.kubernetes(name=ACCOUNT, component="identity"),
                "annotations": {"iam.gke.io/gcp-service-account": self.google_account.email},
            },
            automount_service_account_token=False,
            opts=self._inside,
        )
        self._limit(name, tenant, labels)
        self._isolate(name, network_policies(tenant), labels)
        self.register_outputs({})

    def _limit(self, name: str, tenant: Tenant, labels: Labels) -> None:
        """A team's quota and limits."""
        if tenant.team is None:
            return
        metadata = sdk(self._metadata("team", labels))
        quota, limits = teams.resource_quota(tenant.team), teams.limit_range(tenant.team)
        core.ResourceQuota(name, metadata=metadata, spec=sdk(quota), opts=self._inside)
        core.LimitRange(name, metadata=metadata, spec=sdk(limits), opts=self._inside)

    def _isolate(self, name: str, policies: Mapping[str, Manifest], labels: Labels) -> None:
        for role, spec in policies.items():
            networking.NetworkPolicy(
                name if role in {"team", "models"} else f"{name}-{role}",
                metadata=sdk(self._metadata(role, labels)),
                spec=sdk(spec),
                opts=self._inside,
            )

    def _metadata(self, role: str, labels: Labels) -> Manifest:
        return {
            "name": role,
            "namespace": self.name,
            "labels": labels.kubernetes(name=role, component="namespace"),
        }


def namespaces(
    name: str,
    tenants: Sequence[Tenant],
    *,
    workload_pool: str,
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> dict[str, ModelsNamespace]:
    """By namespace. `name` is the logical name of the shared one; a team's is the team's name.

    Warns of deprecated keys of teams.
    """
    for warning in teams.deprecations([one.team for one in tenants if one.team]):
        pulumi.log.warn(warning)
    return {
        tenant.namespace: ModelsNamespace(
            tenant.team.name if tenant.team else name,
            tenant,
            workload_pool=workload_pool,
            naming=naming,
            labels=labels,
            opts=opts,
        )
        for tenant in tenants
    }
