"""Protection of what cannot be made again: the engine refuses to replace or delete it.

It is a property of the environment, not of a component: no component has to think of it. What is
to go is released by name in the environment's file, for the one update that lets it go.
"""

from collections.abc import Collection

KEEPERS = (
    "gcp:compute/address:Address",
    "gcp:compute/disk:Disk",
    "gcp:compute/globalAddress:GlobalAddress",
    "gcp:container/cluster:Cluster",
    "gcp:dns/managedZone:ManagedZone",
    "gcp:filestore/instance:Instance",
    "gcp:gkebackup/backupPlan:BackupPlan",
    "gcp:kms/cryptoKey:CryptoKey",
    "gcp:kms/keyRing:KeyRing",
    "gcp:sql/databaseInstance:DatabaseInstance",
    "gcp:storage/bucket:Bucket",
    "kubernetes:acid.zalan.do/v1:postgresql",
)
"""Pulumi types of what holds data, or an address that others have written down."""


def named(type_: str, name: str) -> str:
    """How `platform:released` names a resource: `Bucket::models`."""
    return f"{type_.rpartition(':')[2]}::{name}"


def is_kept(type_: str, name: str, released: Collection[str]) -> bool:
    """Whether a resource is to be protected."""
    return type_ in KEEPERS and named(type_, name) not in released
