"""Zalando's Postgres operator: its namespace, its rights, its configuration and itself."""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.apiextensions import v1 as definitions
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.networking import v1 as networking
from pulumi_kubernetes.rbac import v1 as rbac

from gkeplatform.labels import Labels
from infra.serving import postgres_pod, postgres_roles, postgres_schemas
from infra.serving.config import ServingConfig
from infra.serving.manifest import Manifest
from infra.serving.postgres_objects import POD_ACCOUNT

NAME = "postgres-operator"
API = f"{postgres_schemas.GROUP}/{postgres_schemas.VERSION}"


class OperatorConfiguration(pulumi.CustomResource):
    """The operator's configuration: an object that keeps it under a key of its own, not `spec`."""

    def __init__(
        self,
        name: str,
        *,
        metadata: Manifest,
        configuration: Manifest,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        kind = "OperatorConfiguration"
        written = {"metadata": metadata, "configuration": configuration}
        said = {"apiVersion": API, "kind": kind, **written}
        super().__init__(f"kubernetes:{API}:{kind}", name, said, opts)


class PostgresOperator(pulumi.ComponentResource):
    """The operator, which needs nothing but its namespace and named Secrets in the models'."""

    def __init__(
        self,
        name: str,
        args: ServingConfig,
        *,
        namespace: str,
        configuration: Manifest,
        instances: pulumi.Input[str],
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`configuration` is the operator's, `instances` whom the clusters' pods are for Google."""
        super().__init__("gkeplatform:serving:PostgresOperator", name, None, opts)
        self._parent = pulumi.ResourceOptions(parent=self)
        self._labels = labels
        self.namespace = core.Namespace(
            name,
            metadata={
                "name": namespace,
                "labels": {
                    **labels.kubernetes(name=namespace, component="namespace"),
                    # Spilo starts its processes by a program that restricted pods may not run.
                    "pod-security.kubernetes.io/enforce": "baseline",
                },
            },
            opts=self._parent,
        )
        self._inside = pulumi.ResourceOptions(parent=self, depends_on=[self.namespace])
        kinds = [
            definitions.CustomResourceDefinition(
                definition["names"]["plural"],
                metadata={"name": f"{definition['names']['plural']}.{definition['group']}"},
                spec=definition,
                opts=self._parent,
            )
            for definition in (
                postgres_schemas.postgresql(),
                postgres_schemas.operator_configuration(),
            )
        ]
        networking.NetworkPolicy(
            name,
            metadata=self._metadata("databases", namespace),
            spec=postgres_pod.walls(args),
            opts=self._inside,
        )
        quota = postgres_pod.quota(args)
        core.ResourceQuota(
            name, metadata=self._metadata("databases", namespace), spec=quota, opts=self._inside
        )
        rights = self._accounts(name, args, namespace, instances)
        settings = OperatorConfiguration(
            NAME,
            metadata=self._metadata(NAME, namespace),
            configuration=configuration,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.namespace, *kinds]),
        )
        self.deployment = apps.Deployment(
            NAME,
            metadata=self._metadata(NAME, namespace),
            spec=postgres_pod.operator(
                labels.kubernetes(name=NAME, component="operator"), NAME, configuration
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[settings, *rights]),
        )
        self.register_outputs({})

    def _accounts(
        self, name: str, args: ServingConfig, namespace: str, instances: pulumi.Input[str]
    ) -> list[pulumi.Resource]:
        """The two accounts and what they may do."""
        homes = postgres_roles.logins(args)
        acts = {"iam.gke.io/gcp-service-account": instances}
        accounts = [
            core.ServiceAccount(
                account,
                metadata={
                    **self._metadata(account, namespace),
                    **({"annotations": acts} if account == POD_ACCOUNT else {}),
                },
                opts=self._inside,
            )
            for account in (NAME, POD_ACCOUNT)
        ]
        who = {"kind": "ServiceAccount", "name": NAME, "namespace": namespace}
        instance = {"kind": "ServiceAccount", "name": POD_ACCOUNT, "namespace": namespace}
        roles: Mapping[str, tuple[str, str, list[Manifest], Manifest]] = {
            NAME: (NAME, namespace, postgres_roles.operator(args), who),
            POD_ACCOUNT: (POD_ACCOUNT, namespace, postgres_roles.instance(), instance),
            **{
                f"{name}-{home}": (NAME, home, postgres_roles.secrets(names), who)
                for home, names in homes.items()
            },
        }
        return [
            *accounts,
            *(
                grant
                for key, (role, where, rules, subject) in roles.items()
                for grant in self._grant(key, role, where, rules, subject)
            ),
            *self._cluster_wide(namespace, sorted({namespace, *homes}), who),
        ]

    def _grant(
        self, key: str, role: str, namespace: str, rules: list[Manifest], subject: Manifest
    ) -> list[pulumi.Resource]:
        metadata = self._metadata(role, namespace)
        reference: Manifest = {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": role,
        }
        made = rbac.Role(key, metadata=metadata, rules=rules, opts=self._inside)
        bound = rbac.RoleBinding(
            key, metadata=metadata, role_ref=reference, subjects=[subject], opts=self._inside
        )
        return [made, bound]

    def _cluster_wide(
        self, namespace: str, namespaces: list[str], subject: Manifest
    ) -> list[pulumi.Resource]:
        # Roles of the cluster share their names with everybody's.
        name = f"{namespace}-{NAME}" if namespace != "postgres" else NAME
        metadata: Manifest = {
            "name": name,
            "labels": self._labels.kubernetes(name=NAME, component="operator"),
        }
        reference: Manifest = {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": name,
        }
        rules = postgres_roles.nodes(namespaces)
        made = rbac.ClusterRole(NAME, metadata=metadata, rules=rules, opts=self._parent)
        bound = rbac.ClusterRoleBinding(
            NAME, metadata=metadata, role_ref=reference, subjects=[subject], opts=self._parent
        )
        return [made, bound]

    def _metadata(self, name: str, namespace: str) -> Manifest:
        return {
            "name": name,
            "namespace": namespace,
            "labels": self._labels.kubernetes(name=name, component="operator"),
        }
