"""Rules about change: what cannot be made again is not lost by an update."""

from collections.abc import Iterator

from gkeplatform.protection import PROTECTED_TYPES
from policies.rule import Reference, advisory
from policies.subjects import Resource, gcp, kubernetes, whole

_CLOUD = gcp(*(one.removeprefix("gcp:") for one in PROTECTED_TYPES if one.startswith("gcp:")))
_DATABASES = kubernetes("acid.zalan.do", "postgresql")
KEEPING = (_CLOUD | _DATABASES).seen_as(whole)


@advisory(
    KEEPING,
    layer="every",
    severity="high",
    why="An update that replaces a database, a bucket or an address loses what no program can make "
    "again. A protected resource is neither replaced nor deleted: the engine refuses the update.",
    fix="set platform:protect; what is to go is named in platform:released, for that one update",
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
def what_cannot_be_made_again_is_protected(keeper: Resource) -> Iterator[str]:
    """What holds data or an address is protected from being replaced or deleted."""
    if not keeper.protect:
        yield "it is not protected"
