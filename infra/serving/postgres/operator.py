"""The component of Zalando's Postgres operator: namespace, RBAC, configuration, Deployment."""

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_kubernetes.apiextensions import v1 as definitions
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.networking import v1 as networking
from pulumi_kubernetes.rbac import v1 as rbac

from gkeplatform.labels import Labels
from infra.serving.manifest import Manifest, role_reference, sdk
from infra.serving.postgres import network, operator_pod, roles, schemas
from infra.serving.postgres.clusters import Cluster
from infra.serving.postgres.manifests import POD_ACCOUNT

NAME = "postgres-operator"
API = f"{schemas.GROUP}/{schemas.VERSION}"


class OperatorConfiguration(pulumi.CustomResource):
    """The operator's configuration: a custom resource without a `spec`."""

    def __init__(
        self,
        name: str,
        *,
        metadata: Manifest,
        configuration: Manifest,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        kind = "OperatorConfiguration"
        properties: Manifest = {"apiVersion": API, "kind": kind}
        properties |= {"metadata": metadata, "configuration": configuration}
        super().__init__(f"kubernetes:{API}:{kind}", name, properties, opts)


class PostgresOperator(pulumi.ComponentResource):
    """The operator, with rights in its namespace and on named Secrets in those of models."""

    def __init__(
        self,
        name: str,
        clusters: Sequence[Cluster],
        *,
        namespace: str,
        configuration: Manifest,
        instance_account: pulumi.Input[str],
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`instance_account` is the email of the Google account of the clusters' pods."""
        super().__init__("gkeplatform:serving:PostgresOperator", name, None, opts)
        self._parent = pulumi.ResourceOptions(parent=self)
        self._labels = labels
        self.namespace = core.Namespace(
            name,
            metadata={
                "name": namespace,
                "labels": {
                    **labels.kubernetes(name=namespace, component="namespace"),
                    # Spilo starts its processes with sudo, which restricted pods may not use.
                    "pod-security.kubernetes.io/enforce": "baseline",
                },
            },
            opts=self._parent,
        )
        self._inside = pulumi.ResourceOptions(parent=self, depends_on=[self.namespace])
        kinds: list[pulumi.Resource] = [
            definitions.CustomResourceDefinition(
                definition["names"]["plural"],
                metadata={"name": f"{definition['names']['plural']}.{definition['group']}"},
                spec=sdk(definition),
                opts=self._parent,
            )
            for definition in (
                schemas.postgresql(),
                schemas.operator_configuration(),
            )
        ]
        walls = sdk(self._metadata("databases", namespace))
        policy, quota = network.network_policy(clusters), operator_pod.quota(clusters)
        networking.NetworkPolicy(name, metadata=walls, spec=sdk(policy), opts=self._inside)
        core.ResourceQuota(name, metadata=walls, spec=sdk(quota), opts=self._inside)
        rights = self._accounts(name, clusters, namespace, instance_account)
        settings = OperatorConfiguration(
            NAME,
            metadata=self._metadata(NAME, namespace),
            configuration=configuration,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.namespace, *kinds]),
        )
        self.deployment = apps.Deployment(
            NAME,
            metadata=sdk(self._metadata(NAME, namespace)),
            spec=sdk(
                operator_pod.operator(
                    labels.kubernetes(name=NAME, component="operator"), NAME, configuration
                )
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[settings, *rights]),
        )
        self.register_outputs({})

    def _accounts(
        self,
        name: str,
        clusters: Sequence[Cluster],
        namespace: str,
        instance_account: pulumi.Input[str],
    ) -> list[pulumi.Resource]:
        """The two service accounts and their RBAC."""
        credentials = roles.credentials(clusters)
        identity = {"iam.gke.io/gcp-service-account": instance_account}
        accounts = [
            core.ServiceAccount(
                account,
                metadata=sdk(
                    {
                        **self._metadata(account, namespace),
                        **({"annotations": identity} if account == POD_ACCOUNT else {}),
                    }
                ),
                opts=self._inside,
            )
            for account in (NAME, POD_ACCOUNT)
        ]
        operator: Manifest = {"kind": "ServiceAccount", "name": NAME, "namespace": namespace}
        instance: Manifest = {"kind": "ServiceAccount", "name": POD_ACCOUNT, "namespace": namespace}
        grants: Mapping[str, tuple[str, str, list[Manifest], Manifest]] = {
            NAME: (NAME, namespace, roles.operator(clusters), operator),
            POD_ACCOUNT: (POD_ACCOUNT, namespace, roles.instance(), instance),
            **{
                f"{name}-{models}": (NAME, models, roles.secrets(names), operator)
                for models, names in credentials.items()
            },
        }
        return [
            *accounts,
            *(
                grant
                for key, (role, where, rules, subject) in grants.items()
                for grant in self._grant(key, role, where, rules, subject)
            ),
            *self._cluster_wide(namespace, sorted({namespace, *credentials}), operator),
        ]

    def _grant(
        self, key: str, role: str, namespace: str, rules: list[Manifest], subject: Manifest
    ) -> list[pulumi.Resource]:
        metadata = sdk(self._metadata(role, namespace))
        return [
            rbac.Role(key, metadata=metadata, rules=sdk(rules), opts=self._inside),
            rbac.RoleBinding(
                key,
                metadata=metadata,
                role_ref=sdk(role_reference("Role", role)),
                subjects=sdk([subject]),
                opts=self._inside,
            ),
        ]

    def _cluster_wide(
        self, namespace: str, namespaces: list[str], subject: Manifest
    ) -> list[pulumi.Resource]:
        # ClusterRoles have no namespace, so that other operators' may have the same name.
        name = f"{namespace}-{NAME}" if namespace != "postgres" else NAME
        metadata: Manifest = {
            "name": name,
            "labels": self._labels.kubernetes(name=NAME, component="operator"),
        }
        rules = sdk(roles.nodes(namespaces))
        return [
            rbac.ClusterRole(NAME, metadata=sdk(metadata), rules=rules, opts=self._parent),
            rbac.ClusterRoleBinding(
                NAME,
                metadata=sdk(metadata),
                role_ref=sdk(role_reference("ClusterRole", name)),
                subjects=sdk([subject]),
                opts=self._parent,
            ),
        ]

    def _metadata(self, name: str, namespace: str) -> Manifest:
        return {
            "name": name,
            "namespace": namespace,
            "labels": self._labels.kubernetes(name=name, component="operator"),
        }
