"""The key of Cloud KMS that encrypts the cluster's Secrets, and GKE's right to use it.

A key ring cannot be deleted, nor can its name be used again: a destroy forgets it, and destroys the
versions of its keys. So the ring's name ends in a random part, which is new after a destroy.
"""

import pulumi
from pulumi_gcp import container, kms, organizations
from pulumi_random import RandomId

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.cluster.encryption_settings import DAY, SecretsEncryption

GKE = "container-engine-robot"
ROLE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
SUFFIX_BYTES = 3


class SecretsKey(pulumi.ComponentResource):
    """A key in a ring of its own, or one that is there, which GKE's service agent may use."""

    key: pulumi.Output[str]
    """Its full name."""
    grants: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        args: SecretsEncryption,
        *,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:cluster:SecretsKey", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.key = pulumi.Output.from_input(
            args.key or self._made(name, args, naming, labels, opts=child)
        )
        self.grants = []
        if args.grant:
            self.grants.append(may_use(name, self.key, agent=GKE, naming=naming, parent=self))
        self.register_outputs({"key": self.key})

    def _made(
        self,
        name: str,
        args: SecretsEncryption,
        naming: Naming,
        labels: Labels,
        *,
        opts: pulumi.ResourceOptions,
    ) -> pulumi.Output[str]:
        suffix = RandomId(name, byte_length=SUFFIX_BYTES, opts=opts)
        ring = kms.KeyRing(
            name,
            name=pulumi.Output.format("{0}-{1}", naming.of(name), suffix.hex),
            location=naming.environment.region,
            opts=opts,
        )
        key = kms.CryptoKey(
            name,
            name=naming.of(name),
            key_ring=ring.id,
            purpose="ENCRYPT_DECRYPT",
            rotation_period=f"{args.rotation_days * DAY}s",
            destroy_scheduled_duration=f"{args.destroy_after_days * DAY}s",
            version_template={
                "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION",
                "protection_level": args.protection.upper(),
            },
            labels=labels.google(),
            opts=opts,
        )
        return key.id


def may_use(
    name: str,
    key: pulumi.Input[str],
    *,
    agent: str,
    naming: Naming,
    parent: pulumi.Resource,
) -> pulumi.Resource:
    """Lets the service agent (named by its domain) of this project use a key."""
    project = organizations.get_project_output(
        project_id=naming.environment.project, opts=pulumi.InvokeOptions(parent=parent)
    )
    return kms.CryptoKeyIAMMember(
        name,
        crypto_key_id=key,
        role=ROLE,
        member=project.number.apply(lambda number: service_agent(number, agent)),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def service_agent(number: str, agent: str) -> str:
    """The account by which Google acts in the project of this number, as a policy's member."""
    return f"serviceAccount:service-{number}@{agent}.iam.gserviceaccount.com"


def database_encryption(
    key: pulumi.Input[str] | None,
) -> container.ClusterDatabaseEncryptionArgsDict:
    """The cluster's words for it. Off is said too: left out, it would stay as it is."""
    return {"state": "ENCRYPTED", "key_name": key} if key is not None else {"state": "DECRYPTED"}
