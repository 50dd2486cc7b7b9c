"""NGINX's ingress controller, where this layer runs it.

It is the last release of a retired project (https://github.com/kubernetes/ingress-nginx), for
models that are not yet moved to the Gateway. Nothing is installed that no model asks for.
"""

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.networking import v1 as networking
from pulumi_kubernetes.policy import v1 as policy
from pulumi_kubernetes.rbac import v1 as rbac

from gkeplatform.labels import Labels
from infra.serving import nginx_objects as objects
from infra.serving.http_routes import NginxArgs
from infra.serving.manifest import Manifest
from infra.serving.nginx_objects import CONTROLLER, NAME, NAMESPACE


class NginxController(pulumi.ComponentResource):
    """The controller and its class, in a namespace of its own; its Service has the address."""

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
        bear = labels.kubernetes(name=NAME, component="ingress-controller")
        cluster_wide: Manifest = {"name": NAME, "labels": bear}
        metadata: Manifest = {**cluster_wide, "namespace": NAMESPACE}
        enforced = {**bear, "pod-security.kubernetes.io/enforce": "restricted"}
        namespace = core.Namespace(
            name, metadata={"name": NAMESPACE, "labels": enforced}, opts=child
        )
        inside = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        account = core.ServiceAccount(
            name, metadata=metadata, automount_service_account_token=False, opts=inside
        )
        subjects: list[Manifest] = [
            {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
        ]
        everywhere, at_home = (_role(kind) for kind in ("ClusterRole", "Role"))
        allowed: list[pulumi.Resource] = [
            rbac.ClusterRole(name, metadata=cluster_wide, rules=objects.everywhere(), opts=child),
            rbac.ClusterRoleBinding(
                name,
                metadata=cluster_wide,
                role_ref=everywhere,
                subjects=subjects,
                opts=inside,
            ),
            rbac.Role(name, metadata=metadata, rules=objects.at_home(), opts=inside),
            rbac.RoleBinding(
                name,
                metadata=metadata,
                role_ref=at_home,
                subjects=subjects,
                opts=inside,
            ),
            networking.IngressClass(
                name,
                metadata={"name": class_name, "labels": bear},
                spec={"controller": CONTROLLER},
                opts=child,
            ),
        ]
        core.ConfigMap(
            name,
            metadata=metadata,
            # A snippet would be configuration of the controller, from whoever writes Ingresses.
            data={"allow-snippet-annotations": "false"},
            opts=inside,
        )
        running = pulumi.ResourceOptions(parent=self, depends_on=[account, *allowed])
        apps.Deployment(
            name,
            metadata=metadata,
            spec=objects.deployment(args, class_name, labels=bear),
            opts=running,
        )
        core.Service(name, metadata=metadata, spec=objects.service(args), opts=inside)
        policy.PodDisruptionBudget(
            name,
            metadata=metadata,
            spec=objects.budget(),
            opts=inside,
        )
        networking.NetworkPolicy(name, metadata=metadata, spec=objects.gate(), opts=inside)
        self.register_outputs({})


def _role(kind: str) -> Manifest:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": NAME}
