"""Rules about where data lives: buckets."""

from collections.abc import Iterator

from policies.rule import google, mandatory
from policies.subjects import gcp
from policies.values import Props, flag, text

BUCKETS = gcp("storage/bucket:Bucket")


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
