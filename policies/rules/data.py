"""Rules about where data lives, and the keys that it is read with: buckets, Cloud KMS."""

from collections.abc import Iterator

from policies.rule import advisory, google, mandatory
from policies.subjects import gcp
from policies.values import OddInputError, Props, block, entries, flag, text

BUCKETS = gcp("storage/bucket:Bucket")
KEYS = gcp("kms/cryptoKey:CryptoKey")
_NINETY_DAYS = 90 * 86400


@mandatory(
    BUCKETS,
    layer="serving",
    severity="high",
    why="With access lists on objects, one forgotten object is public while the bucket is not.",
    fix="set uniform_bucket_level_access (the layers always do)",
    references=(google("Uniform access", "storage/docs/uniform-bucket-level-access"),),
    passing={"uniformBucketLevelAccess": True},
    failing={"uniformBucketLevelAccess": False},
)
def bucket_access_is_uniform(bucket: Props) -> Iterator[str]:
    """Access to a bucket is granted by IAM alone."""
    if not flag(bucket, "uniformBucketLevelAccess"):
        yield "uniformBucketLevelAccess is not true"


@mandatory(
    BUCKETS,
    layer="serving",
    severity="high",
    why="Where it is enforced, no grant of any kind makes the bucket's content public by mistake.",
    fix="set public_access_prevention to enforced; for a bucket of public files behind the load "
    "balancer set the rule to advisory in that environment (gke-policies:levels)",
    references=(google("Public access prevention", "storage/docs/public-access-prevention"),),
    passing={"publicAccessPrevention": "enforced"},
    failing={"publicAccessPrevention": "inherited"},
)
def bucket_prevents_public_access(bucket: Props) -> Iterator[str]:
    """A bucket cannot be made public."""
    if text(bucket, "publicAccessPrevention") != "enforced":
        yield "publicAccessPrevention is not enforced"


@advisory(
    BUCKETS,
    layer="serving",
    severity="medium",
    why="A model that is overwritten or deleted by mistake is gone for good.",
    fix="set versioning (the layers always do)",
    references=(google("Object versioning", "storage/docs/object-versioning"),),
    passing={"versioning": {"enabled": True}},
    failing={"name": "acme-models"},
)
def bucket_keeps_old_versions(bucket: Props) -> Iterator[str]:
    """A bucket keeps what was overwritten or deleted."""
    # A retention policy forbids both, and cannot be had together with versions.
    if not flag(bucket, "versioning", "enabled") and not block(bucket, "retentionPolicy"):
        yield "versioning.enabled is not true"


@advisory(
    BUCKETS,
    layer="serving",
    severity="low",
    why="Old versions, and uploads that were never finished, are paid for until somebody counts.",
    fix="set noncurrent_days of the bucket (gke-serving:models_bucket.noncurrent_days)",
    references=(google("Object lifecycle", "storage/docs/lifecycle"),),
    passing={
        "lifecycleRules": [
            {"action": {"type": "Delete"}, "condition": {"numNewerVersions": 5, "age": 30}}
        ]
    },
    failing={"versioning": {"enabled": True}},
)
def bucket_clears_away_old_versions(bucket: Props) -> Iterator[str]:
    """A bucket that keeps old versions deletes them some time later."""
    if flag(bucket, "versioning", "enabled") and not entries(bucket, "lifecycleRules"):
        yield "lifecycleRules is not set"


@advisory(
    BUCKETS,
    layer="serving",
    severity="medium",
    why="With it, whoever removes the bucket from the program deletes all that is in it.",
    fix="set force_destroy to false outside dev",
    references=(google("Deleting buckets", "storage/docs/deleting-buckets"),),
    passing={"forceDestroy": False},
    failing={"forceDestroy": True},
)
def bucket_is_not_deleted_with_its_content(bucket: Props) -> Iterator[str]:
    """A bucket that holds something cannot be deleted."""
    if flag(bucket, "forceDestroy"):
        yield "forceDestroy is true"


@mandatory(
    KEYS,
    layer="cluster",
    severity="medium",
    why="A key that is never changed guards everything that was ever written with it.",
    fix="set rotation_period to 90 days or less",
    references=(google("Key rotation", "kms/docs/key-rotation"),),
    passing={"rotationPeriod": "7776000s"},
    failing={"name": "cluster"},
)
def keys_are_rotated(key: Props) -> Iterator[str]:
    """A key of Cloud KMS is changed every 90 days or more often."""
    if text(key, "purpose") not in {"", "ENCRYPT_DECRYPT"}:
        return  # others cannot be rotated by themselves
    period = text(key, "rotationPeriod")
    if not period:
        yield "rotationPeriod is not set"
        return
    try:
        seconds = float(period.removesuffix("s"))
    except ValueError:
        raise OddInputError(f"rotationPeriod should be seconds, not {period!r}") from None
    if not 0 < seconds <= _NINETY_DAYS:
        yield f"rotationPeriod is {seconds / 86400:.0f} days"
