"""Where the model servers live and who they are."""

import pulumi
from pulumi_gcp import serviceaccount
from pulumi_kubernetes.core import v1 as core

from gkeplatform.labels import Labels
from gkeplatform.naming import SERVICE_ACCOUNT, Naming

ACCOUNT = "model-server"


class ModelsNamespace(pulumi.ComponentResource):
    """A namespace under the restricted Pod Security Standard, and the models' two accounts.

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
            account_id=naming.of("models", longest=SERVICE_ACCOUNT),
            display_name=f"Model servers ({naming.environment.name})",
            opts=child,
        )
        serviceaccount.IAMMember(
            "workload-identity",
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
        self.register_outputs({})
