"""Findings of the analyzer as JSON lines, for the program that started the engine.

The engine shows findings as text only. A program that needs them names a file in the environment
variable `GKE_POLICIES_FINDINGS`. A recording without an end marker is incomplete: the run did not
evaluate everything.
"""

import json
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from policies.pack import Finding, Pack, Verdict
from policies.subjects import Resource

VARIABLE = "GKE_POLICIES_FINDINGS"


class Recorder:
    """Appends findings to a file, or does nothing without one."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls) -> "Recorder":
        """Return the recorder for the file named in the environment, if any."""
        return cls(os.environ.get(VARIABLE))

    def judged(self, resource: Resource, findings: Iterable[Finding]) -> None:
        """Record the findings of the resource rules for one resource."""
        self._write([{"judged": resource.urn}, *map(_line, findings)])

    def ended(self, findings: Iterable[Finding]) -> None:
        """Record the findings of the stack rules, which run last, and the end marker."""
        self._write([*map(_line, findings), {"ended": True}])

    def _write(self, lines: list[dict[str, Any]]) -> None:
        if self._path is None:
            return
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        with self._lock, Path(self._path).open("ab", buffering=0) as file:
            file.write(text.encode())


def _line(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule.id,
        "type": finding.resource.type,
        "name": finding.resource.name,
        "urn": finding.resource.urn,
        "verdict": finding.verdict.value,
        "messages": finding.messages,
    }


@dataclass(slots=True)
class Recording:
    """The content of a recording."""

    findings: list[Finding] = field(default_factory=list)
    resources: int = 0
    is_complete: bool = False
    """Whether the recording has its end marker."""


def read(path: Path, pack: Pack) -> Recording:
    """Read a recording. `pack` is the stack's pack; its waivers are applied.

    The findings are by resource: the engine sends resources in an order that differs between runs.
    """
    recorded = Recording()
    for text in path.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if "judged" in line:
            recorded.resources += 1
        elif "ended" in line:
            recorded.is_complete = True
        else:
            rule = pack.rules[line["rule"]]
            resource = Resource(line["type"], {}, line["name"], line["urn"])
            recorded.findings.append(
                Finding(
                    rule,
                    resource,
                    Verdict(line["verdict"]),
                    tuple(line["messages"]),
                    pack.waivers.find(rule.id, resource),
                    pack.waivers.find_expired(rule.id, resource),
                    pack.waivers.environments_elsewhere(rule.id, resource),
                )
            )
    recorded.findings.sort(key=lambda finding: finding.resource.urn)
    return recorded
