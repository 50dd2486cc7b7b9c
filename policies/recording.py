"""What the analyzer finds, kept as lines of JSON for whoever ran the engine.

The engine shows findings as text. A program that started it asks for them by naming a file in an
environment variable, so that its report is of the very judgement that the engine acted on. A
recording that has no end is of a run that did not judge everything.
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
    """Writes lines, or nothing where nobody asked."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._lock = threading.Lock()

    @classmethod
    def asked_for(cls) -> "Recorder":
        """The recorder that this process's environment asks for."""
        return cls(os.environ.get(VARIABLE))

    def judged(self, resource: Resource, findings: Iterable[Finding]) -> None:
        """A resource was judged by itself."""
        self._write([{"judged": resource.urn}, *map(_line, findings)])

    def ended(self, findings: Iterable[Finding]) -> None:
        """The stack was judged as a whole, which is the last thing that is judged."""
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
class Recorded:
    """What was read back."""

    findings: list[Finding] = field(default_factory=list)
    resources: int = 0
    is_whole: bool = False
    """Whether the stack was judged to its end."""


def read(path: Path, pack: Pack) -> Recorded:
    """The findings of a recording, with the waivers of `pack`, which is the stack's own."""
    recorded = Recorded()
    for text in path.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if "judged" in line:
            recorded.resources += 1
        elif "ended" in line:
            recorded.is_whole = True
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
                    pack.waivers.lapsed(rule.id, resource),
                )
            )
    return recorded
