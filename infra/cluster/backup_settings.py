"""Configuration of Backup for GKE: `gke-cluster:cluster.backup`."""

from itertools import pairwise
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from infra.cluster.encryption_settings import KmsKey

CRON = (
    ("minute", range(60)),
    ("hour", range(24)),
    ("day of the month", range(1, 32)),
    ("month", range(1, 13)),
    ("day of the week", range(8)),
)
"""The fields of a cron schedule and their ranges."""


class Backup(Settings):
    """Backups of all namespaces: objects, Secrets, volumes."""

    schedule: Annotated[str, Meta(description="Cron schedule, in UTC.")] = "0 3 * * *"
    retain_days: Annotated[
        Annotated[int, Meta(ge=1, le=365)], Meta(description="Days until a backup is deleted.")
    ] = 30
    lock_days: Annotated[
        Annotated[int, Meta(ge=0, le=90)],
        Meta(description="Days in which a backup cannot be deleted."),
    ] = 0
    secrets: Annotated[bool, Meta(description="Include Secrets.")] = True
    volumes: Annotated[bool, Meta(description="Include volume data.")] = True
    region: Annotated[
        Annotated[str, Meta(pattern=r"^[a-z]+-[a-z]+[0-9]+$")] | None,
        Meta(description="Region of the backups. Default: `gcp:region`."),
    ] = None
    key: Annotated[
        KmsKey | None,
        Meta(description="Cloud KMS key in that region. Default: a Google-managed key."),
    ] = None

    def __post_init__(self) -> None:
        if self.lock_days > self.retain_days:
            raise ValueError(
                f"lock_days {self.lock_days} exceeds retain_days {self.retain_days}; "
                f"set at most {self.retain_days}"
            )
        check_schedule(self.schedule)


def check_schedule(schedule: str) -> None:
    """`ValueError` for an invalid cron schedule, with the likely correction."""
    parts = schedule.split()
    if len(parts) != len(CRON):
        raise ValueError(
            f'schedule: "{schedule}" has {len(parts)} fields, not {len(CRON)} '
            f'({", ".join(name for name, _ in CRON)}); for example "0 3 * * *", every night at 3:00'
        )
    for part, (name, allowed) in zip(parts, CRON, strict=True):
        for item in part.split(","):
            if not _fits(item, allowed):
                raise ValueError(
                    f'schedule: "{item}" is not a valid {name}: use *, {allowed[0]} to '
                    f"{allowed[-1]}, ranges (-) and steps (/); did you mean "
                    f'"{_nearest(item, allowed)}"?'
                )


def _fits(item: str, allowed: range) -> bool:
    span, slash, step = item.partition("/")
    if slash and (not step.isdigit() or int(step) == 0):
        return False
    if span == "*":
        return True
    numbers = span.split("-")
    known = [int(one) for one in numbers if one.isdigit() and int(one) in allowed]
    in_order = all(first <= second for first, second in pairwise(known))
    return len(known) == len(numbers) <= 2 and in_order


def _nearest(item: str, allowed: range) -> str:
    return str(min(max(int(item), allowed[0]), allowed[-1])) if item.isdigit() else "*"
