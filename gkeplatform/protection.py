"""Protection of stateful resources: Pulumi refuses to replace or delete a protected resource.

`platform:protect` turns it on for a whole environment, so components do not handle it. A resource
that is meant to be deleted is listed in `platform:released` for that one update.
"""

from collections.abc import Collection

PROTECTED_TYPES = (
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
"""Pulumi types that hold data, or an address that clients or DNS refer to.

Not among them is what stays in the project when it is deleted (`retain_on_delete`), such as the log
bucket of callers: nothing is lost by it.
"""


def named(type_: str, name: str) -> str:
    """A resource as `platform:released` lists it: `Bucket::models`."""
    return f"{type_.rpartition(':')[2]}::{name}"


def is_protected(type_: str, name: str, released: Collection[str]) -> bool:
    """Whether a resource is protected."""
    return type_ in PROTECTED_TYPES and named(type_, name) not in released
