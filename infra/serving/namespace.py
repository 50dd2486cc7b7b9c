"""Where the model servers live and who they are."""

import pulumi
from pulumi_gcp import serviceaccount
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.networking import v1 as networking

from gkeplatform.labels import Labels
from gkeplatform.naming import SERVICE_ACCOUNT, Naming
from infra.serving import pod, teams
from infra.serving.config import ServingConfig, namespace_of
from infra.serving.manifest import Manifest
from infra.serving.teams import Team

ACCOUNT = "model-server"


class ModelsNamespace(pulumi.ComponentResource):
    """A namespace under the restricted Pod Security Standard, and the models' two accounts.

    Network policies close it, and a team's has quota and limits besides. The Kubernetes account
    acts as the Google one through workload identity; no key exists.
    """

    name: str
    account: str
    namespace: core.Namespace
    kubernetes_account: core.ServiceAccount
    google_account: serviceaccount.Account

    def __init__(
        self,
        name: str,
        *,
        namespace: str,
        team: Team | None = None,
        is_open: bool = False,
        workload_pool: str,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:ModelsNamespace", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.name = namespace
        self.account = ACCOUNT
        self.namespace = core.Namespace(
            name,
            metadata={
                "name": namespace,
                "labels": {
                    **labels.kubernetes(name=namespace, component="namespace"),
                    "pod-security.kubernetes.io/enforce": "restricted",
                },
            },
            opts=child,
        )
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
            member=f"serviceAccount:{workload_pool}[{namespace}/{ACCOUNT}]",
            opts=child,
        )
        self.kubernetes_account = core.ServiceAccount(
            name,
            metadata={
                "name": ACCOUNT,
                "namespace": namespace,
                "labels": labels.kubernetes(name=ACCOUNT, component="identity"),
                "annotations": {"iam.gke.io/gcp-service-account": self.google_account.email},
            },
            automount_service_account_token=False,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.namespace]),
        )
        self._wall_in(name, team, labels, is_open=is_open)
        self.register_outputs({})

    def _wall_in(self, name: str, team: Team | None, labels: Labels, *, is_open: bool) -> None:
        """Network policies; and of a team quota and limits."""
        inside = pulumi.ResourceOptions(parent=self, depends_on=[self.namespace])
        metadata = self._metadata("team" if team else "models", labels)
        if team:
            quota, limits = teams.resource_quota(team), teams.limit_range(team)
            core.ResourceQuota(name, metadata=metadata, spec=quota, opts=inside)
            core.LimitRange(name, metadata=metadata, spec=limits, opts=inside)
        networking.NetworkPolicy(name, metadata=metadata, spec=teams.walls(team), opts=inside)
        if is_open:
            networking.NetworkPolicy(
                f"{name}-open",
                metadata=self._metadata("open", labels),
                spec=teams.gate(),
                opts=inside,
            )

    def _metadata(self, role: str, labels: Labels) -> Manifest:
        return {
            "name": role,
            "namespace": self.name,
            "labels": labels.kubernetes(name=role, component="namespace"),
        }


def namespaces(
    name: str,
    args: ServingConfig,
    *,
    workload_pool: str,
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> dict[str, ModelsNamespace]:
    """The namespace that models share, called `name` by Pulumi, and one for each team."""
    owners = {args.namespace: None} | {team.name: team for team in args.teams}
    return {
        namespace: ModelsNamespace(
            team.name if team else name,
            namespace=namespace,
            team=team,
            # A policy that selects no pods is forbidden: it would seem to protect something.
            is_open=any(
                pod.is_open(model)
                for model in args.models
                if namespace_of(model, args) == namespace
            ),
            workload_pool=workload_pool,
            naming=naming,
            labels=labels,
            opts=opts,
        )
        for namespace, team in owners.items()
    }
