"""The component of LWS: definitions, RBAC, controller and webhooks."""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.admissionregistration import v1 as admission
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.rbac import v1 as rbac

from gkeplatform.labels import Labels
from infra.serving import waits
from infra.serving.controller_namespace import controller_namespace
from infra.serving.groups import manifests, roles
from infra.serving.groups.definitions import definitions
from infra.serving.groups.manifests import CONFIGURATION, NAME, NAMESPACE, SERVICE
from infra.serving.manifest import Manifest, role_reference, sdk


class LeaderWorkerSets(pulumi.ComponentResource):
    """The controller of LeaderWorkerSets in a namespace of its own."""

    def __init__(
        self, name: str, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gkeplatform:serving:LeaderWorkerSets", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._labels = labels.kubernetes(name=name, component="controller")
        self._inside, kinds = controller_namespace(
            name,
            self._metadata(name),
            network_policy=manifests.network_policy(),
            definitions=definitions(),
            parent=self,
        )
        before = [*kinds, *self._rbac(), *self._files(), *self._webhooks()]
        apps.Deployment(
            name,
            metadata=sdk(self._metadata(NAME)),
            spec=sdk(manifests.deployment(self._labels)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=before),
        )
        self.register_outputs({})

    def _rbac(self) -> list[pulumi.Resource]:
        account: Manifest = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
        own, everywhere = self._metadata(NAME), {"name": NAME, "labels": self._labels}
        return [
            core.ServiceAccount(NAME, metadata=sdk(own), opts=self._inside),
            rbac.Role(
                NAME, metadata=sdk(own), rules=sdk(roles.namespace_rules()), opts=self._inside
            ),
            rbac.RoleBinding(
                NAME,
                metadata=sdk(own),
                role_ref=sdk(role_reference("Role", NAME)),
                subjects=sdk([account]),
                opts=self._inside,
            ),
            rbac.ClusterRole(
                NAME, metadata=sdk(everywhere), rules=sdk(roles.cluster_rules()), opts=self._child
            ),
            rbac.ClusterRoleBinding(
                NAME,
                metadata=sdk(everywhere),
                role_ref=sdk(role_reference("ClusterRole", NAME)),
                subjects=sdk([account]),
                opts=self._child,
            ),
        ]

    def _files(self) -> list[pulumi.Resource]:
        """What the controller mounts: its configuration, and a Secret for its certificate."""
        return [
            core.ConfigMap(
                CONFIGURATION,
                metadata=sdk(self._metadata(CONFIGURATION)),
                data=manifests.configuration(),
                opts=self._inside,
            ),
            core.Secret(
                roles.CERTIFICATE,
                metadata=sdk(self._metadata(roles.CERTIFICATE)),
                opts=self._inside,
            ),
        ]

    def _webhooks(self) -> list[pulumi.Resource]:
        service = core.Service(
            SERVICE,
            metadata=sdk({**self._metadata(SERVICE), "annotations": waits.NOTHING}),
            spec=sdk(manifests.service()),
            opts=self._inside,
        )
        return [
            service,
            admission.MutatingWebhookConfiguration(
                roles.MUTATING,
                metadata=sdk({"name": roles.MUTATING, "labels": self._labels}),
                webhooks=sdk(manifests.mutating_webhooks()),
                opts=self._child,
            ),
            admission.ValidatingWebhookConfiguration(
                roles.VALIDATING,
                metadata=sdk({"name": roles.VALIDATING, "labels": self._labels}),
                webhooks=sdk(manifests.validating_webhooks()),
                opts=self._child,
            ),
        ]

    def _metadata(self, name: str) -> Manifest:
        return {"name": name, "namespace": NAMESPACE, "labels": self._labels}


def leader_worker_sets(
    name: str, *, needed: bool, labels: Labels, opts: pulumi.ResourceOptions
) -> Sequence[pulumi.Resource]:
    """The controller, if `needed`; models on several hosts depend on the result."""
    return [LeaderWorkerSets(name, labels=labels, opts=opts)] if needed else []
