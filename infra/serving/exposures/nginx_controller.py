"""The component of NGINX's ingress controller.

This is the last release of a retired project (https://github.com/kubernetes/ingress-nginx), for
models that have not moved to the Gateway yet.
"""

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.networking import v1 as networking
from pulumi_kubernetes.policy import v1 as policy
from pulumi_kubernetes.rbac import v1 as rbac

from gkeplatform.labels import Labels
from infra.serving import waits
from infra.serving.exposures import nginx_manifests as manifests
from infra.serving.exposures.nginx_manifests import CONTROLLER, NAME, NAMESPACE
from infra.serving.exposures.settings import NginxArgs
from infra.serving.manifest import Manifest, role_reference, sdk


class NginxController(pulumi.ComponentResource):
    """The controller and its ingress class, in a namespace of its own."""

    def __init__(
        self,
        name: str,
        args: NginxArgs,
        *,
        class_name: str,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:NginxController", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        object_labels = labels.kubernetes(name=NAME, component="ingress-controller")
        cluster_wide: Manifest = {"name": NAME, "labels": object_labels}
        metadata: Manifest = {**cluster_wide, "namespace": NAMESPACE}
        enforced = {**object_labels, "pod-security.kubernetes.io/enforce": "restricted"}
        namespace = core.Namespace(
            name, metadata={"name": NAMESPACE, "labels": enforced}, opts=child
        )
        inside = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        account = core.ServiceAccount(
            name, metadata=sdk(metadata), automount_service_account_token=False, opts=inside
        )
        subjects: list[Manifest] = [
            {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
        ]
        rights: list[pulumi.Resource] = [
            rbac.ClusterRole(
                name, metadata=sdk(cluster_wide), rules=sdk(manifests.cluster_rules()), opts=child
            ),
            rbac.ClusterRoleBinding(
                name,
                metadata=sdk(cluster_wide),
                role_ref=sdk(role_reference("ClusterRole", NAME)),
                subjects=sdk(subjects),
                opts=inside,
            ),
            rbac.Role(
                name, metadata=sdk(metadata), rules=sdk(manifests.namespace_rules()), opts=inside
            ),
            rbac.RoleBinding(
                name,
                metadata=sdk(metadata),
                role_ref=sdk(role_reference("Role", NAME)),
                subjects=sdk(subjects),
                opts=inside,
            ),
            networking.IngressClass(
                name,
                metadata={"name": class_name, "labels": object_labels},
                spec={"controller": CONTROLLER},
                opts=child,
            ),
        ]
        core.ConfigMap(
            name,
            metadata=sdk(metadata),
            # Snippets would let authors of Ingresses configure the controller.
            data={"allow-snippet-annotations": "false"},
            opts=inside,
        )
        running = pulumi.ResourceOptions(parent=self, depends_on=[account, *rights])
        apps.Deployment(
            name,
            metadata=sdk(metadata),
            spec=sdk(manifests.deployment(args, class_name, labels=object_labels)),
            opts=running,
        )
        core.Service(
            name,
            metadata=sdk({**metadata, "annotations": waits.ADDRESS}),
            spec=sdk(manifests.service(args)),
            opts=inside,
        )
        policy.PodDisruptionBudget(
            name,
            metadata=sdk(metadata),
            spec=sdk(manifests.disruption_budget()),
            opts=inside,
        )
        networking.NetworkPolicy(
            name, metadata=sdk(metadata), spec=sdk(manifests.network_policy()), opts=inside
        )
        self.register_outputs({})
