"""How near an answer of the emulator comes to a recorded one of Google. Not a test."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.gcp.placeholders import leaves

# What the recorder replaced in every answer, and what no two runs have in common.
VOLATILE = frozenset(
    [
        "id",
        "targetId",
        "creationTimestamp",
        "creationTime",
        "insertTime",
        "startTime",
        "endTime",
        "fingerprint",
        "labelFingerprint",
        "etag",
        "createTime",
        "updateTime",
        "mutateTime",
        "expireTime",
        "timeCreated",
        "updated",
        "lockedTime",
        "effectiveTime",
        "generation",
        "uniqueId",
        "clusterCaCertificate",
        "endpoint",
        "privateEndpoint",
        "publicEndpoint",
        "resourceVersion",
        "tpuIpv4CidrBlock",
        "internalIpv6Range",
    ]
)


@dataclass
class Score:
    """How near the emulator's answers came."""

    exchanges: int = 0
    same_outcome: int = 0
    recorded_keys: int = 0
    given_keys: int = 0
    shared_keys: int = 0
    recorded_values: int = 0
    equal_values: int = 0
    newer_keys: int = 0
    """Given keys that Google did not show yet when the recording was made; not counted else."""
    differences: list[str] = field(default_factory=list)

    def add(self, other: Score) -> None:
        """Count another score in."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def outcome(self) -> float:
        """Share of exchanges whose status, error reason, operation type and target agree."""
        return self.same_outcome / max(self.exchanges, 1)

    @property
    def recall(self) -> float:
        """Share of Google's keys that were given."""
        return self.shared_keys / max(self.recorded_keys, 1)

    @property
    def precision(self) -> float:
        """Share of the given keys that Google gave."""
        return self.shared_keys / max(self.given_keys, 1)

    @property
    def values(self) -> float:
        """Share of Google's values that were given as they are."""
        return self.equal_values / max(self.recorded_values, 1)

    def line(self, name: str) -> str:
        """One row of the table."""
        return (
            f"{name:72} {self.exchanges:4} {self.outcome:7.3f} {self.recall:7.3f} "
            f"{self.precision:9.3f} {self.values:7.3f} {self.newer_keys:6}"
        )


HEADING = (
    f"{'recording':72} {'n':>4} {'outcome':>7} {'recall':>7} {'precision':>9} {'values':>7} "
    f"{'newer':>6}"
)


def keys(document: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every key and element."""
    items: Any = ()
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = ((str(index), value) for index, value in enumerate(document))
    for key, value in items:
        yield (*path, key)
        yield from keys(value, (*path, key))


_ALLOCATED = frozenset({"clusterIpv4Cidr", "clusterIpv4CidrBlock", "podIpv4CidrBlock"})


def _normal(path: tuple[str, ...], value: Any) -> Any:
    key = next((part for part in reversed(path) if not part.isdigit()), "")
    if key in VOLATILE and not isinstance(value, dict | list):
        return f"<{key}>"
    if isinstance(value, str):
        value = re.sub(r"operation-[\w-]+", "<operation>", value)
        # What depends on the day: Google's newest version, and the image that goes with it.
        value = re.sub(r"\d+\.\d+\.\d+-gke\.\d+", "<version>", value)
        value = re.sub(r"^gke-\d+-gke\d+-cos-[\w-]+$", "<image>", value)
        # What the server draws: hashes in names, and pod ranges out of its own pool.
        value = re.sub(r"(gke-[\w-]+)-[0-9a-f]{8}\b", r"\1-<hash>", value)
        if key in _ALLOCATED:
            value = re.sub(r"^10\.\d+\.0\.0/14$", "<range>", value)
        if key == "selfLinkWithId":
            return f"{value.rpartition('/')[0]}/<id>"
        return re.sub(r"(targetGrpcProxies|networks|subnetworks)/\d{10,}$", r"\1/<id>", value)
    return value


def compare(
    recorded: Any, given: Any, score: Score, label: str, version: tuple[int, ...] | None = None
) -> None:
    """Count keys and values of one answer; `version` is how old the recording is."""
    recorded, given = _sorted(recorded), _sorted(given)
    want, have = set(keys(recorded)), set(keys(given))
    newer = {path for path in have - want if _is_newer(path, _SINCE, version)}
    score.newer_keys += len(newer)
    have -= newer
    score.recorded_keys += len(want)
    score.given_keys += len(have)
    score.shared_keys += len(want & have)
    given_values = dict(leaves(given))
    for path, value in leaves(recorded):
        if path in given_values and _is_newer(path, _CHANGED, version):
            continue
        score.recorded_values += 1
        expected = _normal(path, value)
        if path in given_values and _normal(path, given_values[path]) == expected:
            score.equal_values += 1
        elif path in have:
            found = given_values.get(path)
            score.differences.append(f"{label} {'.'.join(path)}: {value!r} != {found!r}")
    score.differences += [f"{label} missing {'.'.join(p)}" for p in sorted(want - have)]
    score.differences += [f"{label} too much {'.'.join(p)}" for p in sorted(have - want)]


# Fields that Google began to show, or to give another default, after a recording was made: what the
# emulator shows is the newest. By the GKE version of the oldest recording that has them.
_SINCE = {
    "autoprovisioningNodePoolDefaults": (1, 35, 0),
    "controlPlaneEgress": (1, 35, 0),
    "dnsCacheConfig": (1, 35, 0),
    "enableK8sCertsViaDns": (1, 35, 0),
    "networkTierConfig": (1, 35, 0),
    "nodeCreationConfig": (1, 35, 3),
    "nodeImageConfig": (1, 35, 3),
    "nodeReadinessConfig": (1, 35, 3),
    "targetSizePolicy": (1, 35, 0),
}
_CHANGED = {"anonymousAuthenticationConfig": (1, 35, 0), "podAutoscaling": (1, 35, 0)}
# Lists whose order means nothing, and differs between recordings.
_SETS = frozenset({"enableComponents", "instanceGroupUrls", "locations"})


def _is_newer(
    path: tuple[str, ...], table: Mapping[str, tuple[int, ...]], version: tuple[int, ...] | None
) -> bool:
    return version is not None and any(version < table[part] for part in path if part in table)


def _sorted(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _sorted(item, name) for name, item in value.items()}
    if isinstance(value, list):
        items = [_sorted(item) for item in value]
        return sorted(items) if key in _SETS else items
    return value
