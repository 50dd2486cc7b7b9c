"""The place of each message of a finding: the property that it is about, and its line."""

from collections.abc import Sequence
from typing import NamedTuple

from policies.crossguard import RulePolicy
from policies.judged_resource import JudgedResource
from policies.properties import path_text
from policies.rule import Stack
from policies.subjects import Path


class Place(NamedTuple):
    """A property of a resource that was read from a file, and its line there.

    The line of a property that is absent is that of its nearest parent.
    """

    path: Path
    line: int

    def __str__(self) -> str:
        return path_text(self.path)


def find(
    policy: RulePolicy, judged: JudgedResource, stack: Stack | None, messages: Sequence[str]
) -> tuple[Place, ...]:
    """Return the place of each message; none for a resource without a file."""
    lines = judged.resource.lines
    if lines is None:
        return ()
    reads, traced = judged.reading()
    reads.clear()
    rule, about = policy.rule, reads.about
    given = policy.given if stack is None else (stack, *policy.given)
    found: dict[str, Path] = {}
    try:
        for subject in traced.viewed(rule.selector.view):
            for message in map(str, rule.judge(subject, *given)):
                path = about(message)
                if message not in found:
                    found[message] = path
    except Exception:  # the finding's message is this error's
        found = {message: about(message) for message in messages} | found
    if len(messages) == 1 and messages[0] in found:
        path = found[messages[0]]
        return (Place(path, lines.line(path)),)
    # A rule that compares objects may say something else of the copy.
    others = list(found.values()) if len(found) == len(messages) else []
    paths = [
        found.get(message, others[index] if others else ())
        for index, message in enumerate(messages)
    ]
    return tuple([Place(path, lines.line(path)) for path in paths])
