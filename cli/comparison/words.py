"""The words by which an environment's values are its own, such as its project and its domain.

`gs://acme-ml-dev-models/resnet` and `gs://acme-ml-stage-models/resnet` mean the same: each names
the bucket of its own environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli.comparison.declaration import Declaration


@dataclass(frozen=True, slots=True)
class Words:
    """What to write in one environment where the other has its own words."""

    pairs: Mapping[str, str]

    def translated(self, value: Any) -> Any:
        """`value` with the words of the target in place of the source's, in keys as well."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list | tuple):
            return [self.translated(part) for part in value]
        if isinstance(value, dict):
            return {self._text(key): self.translated(part) for key, part in value.items()}
        return value

    def names_source(self, value: Any) -> bool:
        """Whether `value` has a word of the source."""
        return bool(self.translated(value) != _plain(value))

    def _text(self, text: str) -> str:
        if not self.pairs:
            return text
        longest = sorted(self.pairs, key=len, reverse=True)
        # A domain or a project is whole: no letter or digit, and no address, continues it.
        words = "|".join(re.escape(word) for word in longest)
        pattern = rf"(?<![A-Za-z0-9@])(?<![a-z0-9]-)(?:{words})(?![A-Za-z0-9])"
        return re.sub(pattern, lambda found: self.pairs[found[0]], text)


def between(source: Declaration, target: Declaration) -> Words:
    """The words of two environments: project, names of resources, domains, and region."""
    pairs: dict[str, str] = {}
    for one, other in zip(_names(source), _names(target), strict=True):
        if one and other and one != other:
            pairs.setdefault(one, other)
    pairs |= _domains(source, target)
    return Words(pairs)


def _names(declaration: Declaration) -> tuple[str, ...]:
    """Project, the beginning of physical names, DNS domain and region."""
    system, dns = declaration.text("platform:system"), declaration.values.get("gke-networking:dns")
    return (
        declaration.text("gcp:project"),
        f"{system}-{declaration.environment}" if system else "",
        str(dns.get("domain") or "") if isinstance(dns, dict) else "",
        declaration.text("gcp:region"),
    )


def _domains(source: Declaration, target: Declaration) -> dict[str, str]:
    """Domains that have the first label in common, such as `models`, if only one has it."""
    mine, theirs = _by_label(source), _by_label(target)
    return {
        names[0]: theirs[label][0]
        for label, names in mine.items()
        if len(names) == len(theirs.get(label, ())) == 1 and names != theirs[label]
    }


def _by_label(declaration: Declaration) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for domain in declaration.values.get("gke-networking:domains") or ():
        found.setdefault(domain["name"].partition(".")[0], []).append(domain["name"])
    return found


def _plain(value: Any) -> Any:
    """`value` with lists for tuples, as `translated` returns it."""
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value
