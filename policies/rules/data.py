"""Rules about Cloud Storage buckets and Cloud KMS keys."""

from collections.abc import Iterator

from policies.rule import advisory, google, mandatory
from policies.subjects import gcp
from policies.values import MalformedInputError, Props, block, entries, flag, text

BUCKETS = gcp("storage/bucket:Bucket")
KEYS = gcp("kms/cryptoKey:CryptoKey")
_NINETY_DAYS = 90 * 86400


@mandatory(
    BUCKETS,
    layer="serving",
    severity="high",
    why="With object ACLs, a single object can be public in a private bucket.",
    fix="set uniform_bucket_level_access (the layers always do)",
    references=(google("Uniform access", "storage/docs/uniform-bucket-level-access"),),
    passing={"uniformBucketLevelAccess": True},
    failing={"uniformBucketLevelAccess": False},
)
def bucket_access_is_uniform(bucket: Props) -> Iterator[str]:
    """A bucket has uniform bucket-level access: IAM only, no object ACLs."""
    if not flag(bucket, "uniformBucketLevelAccess"):
        yield "uniformBucketLevelAccess is not true"


@mandatory(
    BUCKETS,
    layer="serving",
    severity="high",
    why="Public access prevention blocks any grant that would make the bucket's content public.",
    fix="set public_access_prevention to enforced; for public files behind the load balancer, set "
    "the rule to advisory in that environment (gke-policies:levels)",
    references=(google("Public access prevention", "storage/docs/public-access-prevention"),),
    passing={"publicAccessPrevention": "enforced"},
    failing={"publicAccessPrevention": "inherited"},
)
def bucket_prevents_public_access(bucket: Props) -> Iterator[str]:
    """A bucket enforces public access prevention."""
    if text(bucket, "publicAccessPrevention") != "enforced":
        yield "publicAccessPrevention is not enforced"


@advisory(
    BUCKETS,
    layer="serving",
    severity="medium",
    why="Without versioning, a model that is overwritten or deleted by mistake cannot be restored.",
    fix="set versioning (the layers always do)",
    references=(google("Object versioning", "storage/docs/object-versioning"),),
    passing={"versioning": {"enabled": True}},
    failing={"name": "acme-models"},
)
def bucket_keeps_old_versions(bucket: Props) -> Iterator[str]:
    """A bucket has object versioning."""
    # A retention policy prevents overwriting and deletion, and excludes versioning.
    if not flag(bucket, "versioning", "enabled") and not block(bucket, "retentionPolicy"):
        yield "versioning.enabled is not true"


@advisory(
    BUCKETS,
    layer="serving",
    severity="low",
    why="Old versions and unfinished uploads are billed but not listed.",
    fix="set gke-serving:models_bucket.noncurrent_days",
    references=(google("Object lifecycle", "storage/docs/lifecycle"),),
    passing={
        "lifecycleRules": [
            {"action": {"type": "Delete"}, "condition": {"numNewerVersions": 5, "age": 30}}
        ]
    },
    failing={"versioning": {"enabled": True}},
)
def bucket_clears_away_old_versions(bucket: Props) -> Iterator[str]:
    """A bucket with versioning has lifecycle rules."""
    if flag(bucket, "versioning", "enabled") and not entries(bucket, "lifecycleRules"):
        yield "lifecycleRules is not set"


@advisory(
    BUCKETS,
    layer="serving",
    severity="medium",
    why="With forceDestroy, removing the bucket from the program deletes its content.",
    fix="set force_destroy to false outside dev",
    references=(google("Deleting buckets", "storage/docs/deleting-buckets"),),
    passing={"forceDestroy": False},
    failing={"forceDestroy": True},
)
def bucket_is_not_deleted_with_its_content(bucket: Props) -> Iterator[str]:
    """A bucket cannot be destroyed while it has content."""
    if flag(bucket, "forceDestroy"):
        yield "forceDestroy is true"


@mandatory(
    KEYS,
    layer="cluster",
    severity="medium",
    why="If a key is never rotated, one leak exposes all data that was ever encrypted with it.",
    fix="set rotation_period to 90 days or less",
    references=(google("Key rotation", "kms/docs/key-rotation"),),
    passing={"rotationPeriod": "7776000s"},
    failing={"name": "cluster"},
)
def keys_are_rotated(key: Props) -> Iterator[str]:
    """A Cloud KMS key is rotated at least every 90 days."""
    if text(key, "purpose") not in {"", "ENCRYPT_DECRYPT"}:
        return  # keys for other purposes have no automatic rotation
    period = text(key, "rotationPeriod")
    if not period:
        yield "rotationPeriod is not set"
        return
    from google.protobuf.duration_pb2 import Duration  # noqa: PLC0415 (few inputs have keys)

    duration = Duration()
    try:
        duration.FromJsonString(period)
    except ValueError:
        raise MalformedInputError(
            f"rotationPeriod should be seconds such as 7776000s, not {period!r}"
        ) from None
    if not 0 < duration.ToMilliseconds() <= _NINETY_DAYS * 1000:
        yield f"rotationPeriod is {duration.ToSeconds() / 86400:.0f} days"
