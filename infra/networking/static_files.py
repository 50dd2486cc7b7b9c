"""The default backend: a bucket of static files for requests that reach no model."""

import pulumi
from pulumi_gcp import compute, storage

from gkeplatform.buckets import protection
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.networking.config import Cache, StaticFilesArgs

ROLE = "static"


class StaticFiles(pulumi.ComponentResource):
    """A bucket, and its backend bucket for the load balancer."""

    bucket: storage.Bucket
    backend: compute.BackendBucket

    def __init__(
        self,
        name: str,
        args: StaticFilesArgs,
        *,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:networking:StaticFiles", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.bucket = storage.Bucket(
            name,
            name=naming.of(ROLE),
            location=naming.environment.region.upper(),
            uniform_bucket_level_access=True,
            public_access_prevention="inherited" if args.public else "enforced",
            labels=labels.google(),
            opts=child,
            **protection(args),
        )
        if args.public:
            storage.BucketIAMMember(
                name,
                bucket=self.bucket.name,
                role="roles/storage.objectViewer",
                member="allUsers",
                opts=child,
            )
        self.backend = compute.BackendBucket(
            name,
            name=naming.of(ROLE),
            bucket_name=self.bucket.name,
            enable_cdn=args.cdn,
            cdn_policy=cdn_policy(args.cache) if args.cdn else None,
            opts=child,
        )
        self.register_outputs({})


def cdn_policy(cache: Cache) -> compute.BackendBucketCdnPolicyArgsDict:
    """The CDN policy of the backend bucket."""
    policy: compute.BackendBucketCdnPolicyArgsDict = {
        "cache_mode": cache.mode,
        "negative_caching": True,
        "serve_while_stale": cache.stale_seconds,
    }
    if cache.mode != "USE_ORIGIN_HEADERS":  # which takes no TTLs
        policy |= {"default_ttl": cache.default_seconds, "client_ttl": cache.client_seconds}
        if cache.mode == "CACHE_ALL_STATIC":
            policy["max_ttl"] = cache.max_seconds
    return policy
