"""Where the model servers live and who they are."""

from collections.abc import Mapping

import pulumi
from pulumi_gcp import serviceaccount
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.networking import v1 as networking

from gkeplatform.labels import Labels
from gkeplatform.naming import SERVICE_ACCOUNT, Naming
from infra.serving import pod, postgres_pod, teams
from infra.serving.config import ServingConfig, namespace_of
from infra.serving.manifest import Manifest
from infra.serving.postgres import home_of
from infra.serving.teams import Team

ACCOUNT = "model-server"
OPEN = "open"
"""The policy on pods that callers reach by an address or a port of their own."""


class ModelsNamespace(pulumi.ComponentResource):
    """A namespace under the restricted Pod Security Standard, and the models' two accounts.

    Network policies close it (`policies`, by name), and a team's has quota and limits besides.
    The Kubernetes account acts as the Google one through workload identity; no key exists.
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
        policies: Mapping[str, Manifest],
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
        self._wall_in(name, team, labels, policies)
        self.register_outputs({})

    def _wall_in(
        self, name: str, team: Team | None, labels: Labels, policies: Mapping[str, Manifest]
    ) -> None:
        """Network policies; and of a team quota and limits."""
        inside = pulumi.ResourceOptions(parent=self, depends_on=[self.namespace])
        if team:
            metadata = self._metadata("team", labels)
            quota, limits = teams.resource_quota(team), teams.limit_range(team)
            core.ResourceQuota(name, metadata=metadata, spec=quota, opts=inside)
            core.LimitRange(name, metadata=metadata, spec=limits, opts=inside)
        for role, spec in policies.items():
            networking.NetworkPolicy(
                f"{name}-open" if role == OPEN else name,
                metadata=self._metadata(role, labels),
                spec=spec,
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
            policies=policies(namespace, team, args),
            workload_pool=workload_pool,
            naming=naming,
            labels=labels,
            opts=opts,
        )
        for namespace, team in owners.items()
    }


def policies(namespace: str, team: Team | None, args: ServingConfig) -> dict[str, Manifest]:
    """The specs of a namespace's network policies, by name."""
    inside = [model for model in args.models if namespace_of(model, args) == namespace]
    clusters = args.postgres.clusters if args.postgres else ()
    has_databases = any(home_of(cluster, args) == namespace for cluster in clusters)
    ways = [postgres_pod.way_to(args.postgres.namespace)] if args.postgres and has_databases else []
    # A policy that selects no pods is forbidden: it would seem to protect something.
    opened = {OPEN: teams.gate()} if any(pod.is_open(model) for model in inside) else {}
    # For the same reason the shared namespace has none before its first model.
    closed = {"team" if team else "models": teams.walls(team, *ways)} if team or inside else {}
    return {**closed, **opened}
