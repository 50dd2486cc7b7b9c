"""The reasons of a failed run: one line each, from what the engine and its plugins say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cli import lost_answers
from cli.errors import CliError, Exit
from cli.events import Run
from cli.guards import exclusion, losses
from cli.rollouts import gates
from cli.rollouts.gates import Held
from gkeplatform.layers import Layer

_LIST = re.compile(r"\b\d+ errors? occurred:")
_ITEM = re.compile(r"^\s*\* ", re.MULTILINE)
_URN = re.compile(r'resource "urn:pulumi:[^"]*::([^":]+)"')
_CANCELLED = re.compile(
    r"context cancell?ed$|code = Cancell?ed\b|^(?:\S+: )?Resource operation was cancelled"
)
_PLUGIN_ENDED = re.compile(
    r"error reading from server: .*$|"
    r"could not read plugin .*: exit status.*$|"
    r'connection error: desc = "transport: Error while dialing.*$',
    re.MULTILINE,
)
_ENDED = "the plugin ended before it answered"
_WAITED = "failed to fully initialize"
_IN_DELETION = "Buckets must be in an ACTIVE state"
_SUMMARIES = ("update failed", "preview failed", "destroy failed", "refresh failed")
_HINT = "hint: "
_EXITED = re.compile(r"Detected that .* exited prematurely")


def error(
    layer: Layer, stack: str, code: int, run: Run, output: str, *, waiting: Sequence[Held] = ()
) -> CliError:
    """The error of a layer's run: what is wrong, and what to do about it.

    `waiting`: the pods that a readiness gate has held.
    """
    held = locked(layer, stack, output)
    if held:
        return held
    lost = losses.refused_by_engine(run.errors)
    if lost and all(losses.is_refused(one) for one in reasons(run.errors)):
        return CliError(
            f"{layer.name}: refused, because it is protected and would be replaced or deleted: "
            + ", ".join(lost),
            "if that is meant, add " + " ".join(f"--allow-replace {name}" for name in lost),
            Exit.PROTECTED,
        )
    again = "correct it and run the same command again; what was deployed is kept"
    if code < 0 and not run.interrupted:
        return CliError(
            f"{layer.name}: the engine was ended by signal {-code}",
            "run the same command again: it settles what was interrupted, and completes it",
        )
    if run.interrupted or any(word in output for word in ("update cancelled", "update canceled")):
        return CliError(
            f"{layer.name}: cancelled",
            "run the same command again to complete it",
            Exit.CANCELLED,
        )
    if run.refusals:  # the advisory ones were shown as they came
        shown = "\n".join(f"  {text}" for text in run.refusals)
        return CliError(
            f"{layer.name}: refused by policy:\n{shown}",
            "change the configuration; docs/reference/policies.md explains each rule",
            Exit.POLICY,
        )
    found, advice = without_hints(reasons(run.errors) or [last(output)])
    if waiting:
        found = [with_gates(one, waiting) for one in found]
    configuration = any("stacks/" in e for e in found)
    lines = [line for one in found for line in one.splitlines()]
    text = found[0] if len(found) == 1 else "\n" + "\n".join(f"  {e}" for e in lines)
    kind = Exit.USAGE if configuration else Exit.RESOURCE
    if any(lost_answers.plugin_ended(one) for one in run.errors):
        again = "run the same command again: it settles what was interrupted, and completes it"
    general = "" if configuration else (gates.hint(waiting) or hint(found)) + again
    told = "; ".join([*advice, *([general] if general else [])])
    return CliError(f"{layer.name}: {text}", told, kind)


def with_gates(reason: str, waiting: Sequence[Held]) -> str:
    """A reason with what the pods of its workload wait for."""
    namespaces = {namespace for namespace, _ in gates.failed([reason])}
    own = [one for one in waiting if one.pod.partition("/")[0] in namespaces]
    return gates.told(reason, own) if own else reason


def locked(layer: Layer, stack: str, output: str) -> CliError | None:
    """The error for a stack that another run has locked; None for another failure."""
    holder = exclusion.told(output)
    if holder is None:
        return None
    return CliError(
        f"{layer.name}: the stack `{stack}` is locked by {holder}",
        "wait for its end, then run the same command again; only if it has died: "
        f"$ cd {layer.directory} && pulumi cancel --yes --stack {stack}",
        Exit.LOCKED,
    )


def reasons(errors: Iterable[str]) -> list[str]:
    """The errors that are reasons, each as text; further lines of one are indented.

    What the engine only cancelled because of another error is left out, and so is its summary,
    unless nothing else is there.
    """
    told = [explained(error) for error in errors]
    causes = [error for error in told if not error.startswith(_SUMMARIES)]
    if any(_ENDED in error for error in causes):
        causes = [error for error in causes if not _EXITED.match(error)]
    return [error for error in causes if not _CANCELLED.search(error)] or causes or told


def without_hints(errors: Iterable[str]) -> tuple[list[str], list[str]]:
    """The errors without their lines `hint: ...`, and these hints, each once."""
    told, hints = [], dict[str, None]()
    for error in errors:
        lines = []
        for line in error.splitlines():
            if line.lstrip().startswith(_HINT):
                hints[line.strip().removeprefix(_HINT)] = None
            else:
                lines.append(line)
        told.append("\n".join(lines))
    return told, list(hints)


def hint(errors: Iterable[str]) -> str:
    """What helps against a failure that its own words do not explain.

    The Kubernetes provider does not know why pods wait; Google does not say that a log bucket is
    being deleted.
    """
    if any(_WAITED in error for error in errors):
        return "`kubectl get events -A --field-selector type=Warning` shows more; "
    if any(_IN_DELETION in error for error in errors):
        return (
            "the log bucket is being deleted, which takes seven days; bring it back: "
            "`gcloud logging buckets undelete BUCKET --location=LOCATION --project=PROJECT`; "
        )
    return ""


def explained(error: str) -> str:
    """An error of a plugin without its wrapping.

    Go's plugins report several errors as a list that begins with its length; the first reason takes
    the place of that line, the others follow indented.
    """
    text = _PLUGIN_ENDED.sub(_ENDED, _URN.sub(r"\1", error.strip()))
    found = _LIST.search(text)
    if found is None:
        return text
    before = text[: found.start()].strip()
    items = [_one_line(item) for item in _ITEM.split(text[found.end() :])]
    first, *others = [item for item in items if item] or [_one_line(found.group())]
    return "\n".join([f"{before} {first}".strip(), *(f"  {other}" for other in others)])


def last(output: str) -> str:
    """The last error in the output of a command, with the lines up to the next empty one."""
    _, found, text = f"\n{output}".rpartition("\nerror: ")
    if found:
        return text.partition("\n\n")[0].rstrip()
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def _one_line(text: str) -> str:
    return " ".join(text.split())
