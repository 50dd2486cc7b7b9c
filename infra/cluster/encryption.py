"""The Cloud KMS key that encrypts the cluster's Secrets, and GKE's access to it.

A key ring cannot be deleted and its name cannot be reused: a destroy only forgets the ring and
destroys the versions of its keys. The ring's name therefore ends in a random suffix, which is new
after a destroy.
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
    """A new key in its own ring, or an existing one, that GKE's service agent may use."""

    key: pulumi.Output[str]
    """Full name of the key."""
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
            args.key or self._new_key(name, args, naming, labels, opts=child)
        )
        self.grants = []
        if args.grant:
            self.grants.append(grant_key(name, self.key, agent=GKE, naming=naming, parent=self))
        self.register_outputs({"key": self.key})

    def _new_key(
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


def grant_key(
    name: str,
    key: pulumi.Input[str],
    *,
    agent: str,
    naming: Naming,
    parent: pulumi.Resource,
) -> pulumi.Resource:
    """Grants a service agent of this project the use of a key; `agent` is the agent's domain."""
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
    """The service agent of the project with this number, as an IAM member."""
    return f"serviceAccount:service-{number}@{agent}.iam.gserviceaccount.com"


def database_encryption(
    key: pulumi.Input[str] | None,
) -> container.ClusterDatabaseEncryptionArgsDict:
    """The cluster's `database_encryption`. Off is explicit: leaving it out would change nothing."""
    return {"state": "ENCRYPTED", "key_name": key} if key is not None else {"state": "DECRYPTED"}
