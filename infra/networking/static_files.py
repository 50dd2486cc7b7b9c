"""The default backend: a bucket of static files, which answers what no model answers."""

import pulumi
from pulumi_gcp import compute, storage

from gkeplatform.buckets import kept
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.networking.config import StaticFilesArgs

ROLE = "static"


class StaticFiles(pulumi.ComponentResource):
    """A bucket and the backend bucket that puts it behind the load balancer."""

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
            **kept(args),
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
            opts=child,
        )
        self.register_outputs({})
