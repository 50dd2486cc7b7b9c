"""The differences of two environments, each at the deepest key that tells them apart.

What must differ, such as project, ranges and names derived from them, is told apart from the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from cli.comparison.declaration import SECRET, Declaration
from cli.comparison.words import Words, between


class _Absent:
    def __repr__(self) -> str:
        return "(none)"


ABSENT: Final = _Absent()
"""The value of a key or entry that one environment does not have."""

Path = tuple[str, ...]
"""`("gke-serving:models", "[resnet]", "replicas", "max")`; an entry of a list by its name."""

_OWN = {
    r"gcp:project": "project",
    r"gcp:region": "region",
    r"gcp:.*": "provider",
    r"platform:system": "names of resources",
    r"platform:promoted_from": "promotion",
    r"platform:released": "released for one update",
    r"gke-cluster:network\.[a-z]+_cidr": "range",
    r"gke-cluster:cluster\.control_plane_cidr": "range",
    r"gke-cluster:cluster\.(secrets_encryption|backup)\.key": "key of the project",
    r"gke-cluster:node_pools\[.*\]\.(boot_disk_kms_key|reservation)": "of the project",
    r"gke-networking:dns\.domain": "domain",
    r"gke-networking:domains(\[.*)?": "domain",
    r"gke-serving:catalogue": "folder of models",
    r"gke-platform:budget\.billing_account": "billing account",
}
"""Keys that are an environment's own, with the reason."""
_ZONES = re.compile(r"gke-cluster:(cluster|node_pools\[.*\])\.(zones|control_plane_zone)")
_ORDERED = ("containers", "init_containers")
"""Lists whose order matters although their entries have names."""
_TAGS = ("kind", "via")
"""Fields that say which type a mapping is; with another one the whole mapping is another."""
_QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti|)$")
_FACTORS = {"m": Decimal("0.001"), "": Decimal(1)} | {
    unit: Decimal(base**power)
    for base, units in ((1000, "k M G T"), (1024, "Ki Mi Gi Ti"))
    for power, unit in enumerate(units.split(), start=1)
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A key whose values differ in two environments."""

    path: Path
    """As the source names it."""
    target_path: Path
    """As the target names it: an entry may be named by the environment's domain."""
    source: Any
    target: Any
    """Values with defaults, or ABSENT."""
    reason: str = ""
    """Why the values must differ; empty where they merely do."""

    @property
    def must(self) -> bool:
        """Whether the values have to differ."""
        return bool(self.reason)

    @property
    def is_secret(self) -> bool:
        """Whether a value is encrypted: then only "set or not" is known."""
        return SECRET in (self.source, self.target)

    @property
    def key(self) -> str:
        """The path as text, as the source names it."""
        return shown(self.path)


def shown(path: Sequence[str]) -> str:
    """A path as text: `gke-serving:models[resnet].replicas.max`."""
    return "".join(
        step if index == 0 or step.startswith("[") else f".{step}"
        for index, step in enumerate(path)
    )


def entry_name(value: object) -> str:
    """The name of an entry of a list; empty where it has none."""
    name = value.get("name") if isinstance(value, Mapping) else None
    return name if isinstance(name, str) else ""


def differences(source: Declaration, target: Declaration) -> list[Difference]:
    """Every difference, in the order of the source's keys and then of those that it lacks."""
    words = between(source, target)
    found = _differing((), (), source.values, target.values, words)
    return [_judged(one, words, source, target) for one in found]


def _differing(
    path: Path, target_path: Path, source: Any, target: Any, words: Words
) -> Iterator[Difference]:
    if _equal(path, source, target):
        return
    if isinstance(source, Mapping) and isinstance(target, Mapping) and _one_type(source, target):
        for key in dict.fromkeys((*source, *target)):
            step = (str(key),)
            mine, theirs = source.get(key, ABSENT), target.get(key, ABSENT)
            yield from _differing((*path, *step), (*target_path, *step), mine, theirs, words)
    elif (mine := _named(path, source)) is not None and (
        theirs := _named(path, target)
    ) is not None:
        pairs = {name: _counterpart(name, mine, theirs, words) for name in mine}
        rest = [name for name in theirs if name not in pairs.values()]
        for name, other in (*pairs.items(), *((name, name) for name in rest)):
            if name != other and other in theirs:
                yield Difference(
                    (*path, f"[{name}]", "name"), (*target_path, f"[{other}]", "name"), name, other
                )
            yield from _differing(
                (*path, f"[{name}]"),
                (*target_path, f"[{other}]"),
                _renamed(mine[name], name, other, theirs) if name in mine else ABSENT,
                theirs.get(other, ABSENT),
                words,
            )
    else:
        yield Difference(path, target_path, source, target)


def _renamed(entry: Any, name: str, other: str, theirs: Mapping[str, Any]) -> Any:
    """The entry, with the name that its counterpart has: the difference of names is told once."""
    return {**entry, "name": other} if name != other and other in theirs else entry


def _counterpart(
    name: str, mine: Mapping[str, Any], theirs: Mapping[str, Any], words: Words
) -> str:
    """The name of the target's entry for the source's entry `name`."""
    translated = str(words.translated(name))
    is_taken = translated in mine and translated != name
    return name if name in theirs or is_taken else translated


def _one_type(source: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    return all(source.get(tag) == target.get(tag) for tag in _TAGS)


def _named(path: Path, value: object) -> dict[str, Any] | None:
    """The entries of a list by name; None where the value is no list of that kind."""
    if not isinstance(value, list | tuple) or (path and path[-1] in _ORDERED):
        return None
    entries = {entry_name(entry): entry for entry in value}
    return entries if len(entries) == len(value) and "" not in entries else None


def _equal(path: Path, source: object, target: object) -> bool:
    if source == target and type(source) is type(target):
        return True
    numbers = isinstance(source, int | float) and isinstance(target, int | float)
    if numbers and not isinstance(source, bool) and not isinstance(target, bool):
        return source == target
    if isinstance(source, list | tuple) and isinstance(target, list | tuple):
        return list(source) == list(target)
    return path[-1:] in _QUANTITIES and _amount(source) == _amount(target) is not None


_QUANTITIES = (("cpu",), ("memory",), ("size",))


def _amount(value: object) -> Decimal | None:
    """A quantity of Kubernetes as a number; None for other text."""
    match = _QUANTITY.match(str(value))
    return Decimal(match[1]) * _FACTORS[match[2]] if match else None


def _judged(one: Difference, words: Words, source: Declaration, target: Declaration) -> Difference:
    """The difference, with the reason if the values must differ."""
    reason = ""
    for pattern, why in _OWN.items():
        if not reason and re.fullmatch(pattern, one.key):
            reason = why
    is_both = ABSENT not in (one.source, one.target)
    if not reason and is_both and words.translated(one.source) == _lists(one.target):
        reason = "derived"
    other_region = source.text("gcp:region") != target.text("gcp:region")
    if not reason and other_region and _ZONES.fullmatch(one.key):
        reason = "region"
    return Difference(one.path, one.target_path, one.source, one.target, reason)


def _lists(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
