"""Rules about updates: resources that hold data or addresses are protected."""

from collections.abc import Iterator

from gkeplatform.protection import PROTECTED_TYPES
from policies.rule import Reference, advisory
from policies.subjects import Resource, gcp, kubernetes, resource_view
from policies.values import NotApplicableError

_CLOUD = gcp(*(one.removeprefix("gcp:") for one in PROTECTED_TYPES if one.startswith("gcp:")))
_DATABASES = kubernetes("acid.zalan.do", "postgresql")
KEEPING = (_CLOUD | _DATABASES).with_view(resource_view)


@advisory(
    KEEPING,
    layer="every",
    severity="high",
    why="Replacing a database, a bucket or an address loses data or an address for good. The "
    "engine refuses to replace or delete a protected resource.",
    fix="set platform:protect; to delete a resource, list it in platform:released for one update",
    references=(
        Reference(
            "Pulumi",
            "protect",
            "https://www.pulumi.com/docs/iac/concepts/resources/options/protect/",
        ),
    ),
    passing=(Resource("gcp:storage/bucket:Bucket", {}, "models", protect=True),),
    failing=(Resource("gcp:storage/bucket:Bucket", {}, "models"),),
)
def stateful_resources_are_protected(keeper: Resource) -> Iterator[str]:
    """A resource that holds data or an address has the Pulumi option `protect`."""
    if keeper.origin != "program":
        raise NotApplicableError("`protect` is in a program's state, not in a file or an API")
    if not keeper.protect:
        yield "protect is not set"
