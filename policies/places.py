"""The place of each message of a finding: the property that it is about, and its line."""

from collections.abc import Sequence
from dataclasses import dataclass

from policies.crossguard import ResourceArgs, RulePolicy, StackArgs
from policies.properties import path_text
from policies.subjects import Path


@dataclass(frozen=True, slots=True)
class Place:
    """A property of a resource that was read from a file, and its line there.

    The line of a property that is absent is that of its nearest parent.
    """

    path: Path
    line: int

    def __str__(self) -> str:
        return path_text(self.path)


def find(
    policy: RulePolicy, args: ResourceArgs | StackArgs, messages: Sequence[str]
) -> tuple[Place, ...]:
    """Return the place of each message; none for a resource without a file."""
    subject = args.subject if isinstance(args, StackArgs) else args
    if subject.resource.lines is None:
        return ()
    reads, traced = subject.reading()
    reads.clear()
    found: dict[str, Path] = {}
    given = StackArgs(args.stack, traced) if isinstance(args, StackArgs) else traced
    try:
        for message in policy.messages(given):  # type: ignore[arg-type]  # each has its own
            found.setdefault(str(message), reads.about(str(message)))
    except Exception:  # the finding's message is this error's
        found = {message: reads.about(message) for message in messages} | found
    # A rule that compares objects may say something else of the copy.
    others = list(found.values()) if len(found) == len(messages) else []
    paths = [
        found.get(message, others[index] if others else ())
        for index, message in enumerate(messages)
    ]
    return tuple(Place(path, subject.resource.lines.line(path)) for path in paths)
