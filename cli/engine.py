"""Runs the Pulumi CLI, one command a layer, and reads the result from its event log.

Nothing else runs Pulumi. The Automation API would run the same commands and four more around each
(`select`, `output`, `history`, `whoami`) at 0.3 to 0.5 s each; the event log holds all of that.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cli import (
    backend,
    event_stream,
    failures,
    file_backend,
    journal,
    process,
    replaced_clusters,
    settling,
    urns,
)
from cli.environments import ROOT
from cli.errors import CliError, Exit
from cli.events import STEPS, Run
from cli.guards import losses
from cli.progress import BOARD
from cli.release import protected
from cli.rollouts import groups, lookup
from cli.rollouts.gates import Held
from cli.updates import stack_state
from gkeplatform.layers import CLUSTER, Layer

Say = Callable[[str, str], None]
_PAGE = 100
"""Updates that are asked for at once."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one layer's run."""

    layer: str
    seconds: float
    changes: Mapping[str, int]
    outputs: Mapping[str, Any]
    replaced: Collection[str] = ()
    """Types of which a resource was replaced."""


class Engine:
    """Runs `pulumi` with the given environment variables."""

    def __init__(self, environment: Mapping[str, str], say: Say) -> None:
        self._environment = {
            **environment,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DEBUG_COMMANDS": "true",  # enables --event-log
        }
        # With --policy-pack as well, the engine would run the pack twice.
        self._environment.pop("PULUMI_OPTION_POLICY_PACK", None)
        self._say = say
        found = shutil.which("pulumi", path=environment.get("PATH"))
        if found is None:
            raise CliError(
                "`pulumi` is not on the PATH",
                "install it (https://www.pulumi.com/docs/install/), or use "
                "`./platformctl rehearse dev`, which brings its own",
            )
        self._pulumi = found

    def up(
        self,
        layer: Layer,
        stack: str,
        *,
        interactive: bool,
        preview: bool,
        refresh: bool = False,
    ) -> Result:
        """Deploy a layer; `refresh` reads the account first. Raises CliError."""
        arguments = ["up", "--stack", stack, "--policy-pack", str(ROOT / "policies")]
        if not interactive:
            arguments += ["--yes", *([] if preview else ["--skip-preview"])]
        if refresh:
            arguments.append("--refresh")
        self._settle(layer, stack)
        return self._run(layer, stack, arguments, interactive=interactive, create=True)

    def release(self, layer: Layer, stack: str, names: Collection[str]) -> None:
        """Unprotect the resources with one of the names in the layer's state.

        The engine goes by its state: for a resource that the same update deletes, removing the
        option from the program is not enough.
        """
        if not names:
            return
        try:
            export = json.loads(self._plain(layer, ["stack", "export", "--stack", stack]))
        except CliError as error:
            if _has(str(error), "no stack named"):
                return
            raise
        for urn in protected(export, names):
            self._say(f"unprotects {urn.split('::')[-1]}", layer.name)
            self._plain(layer, ["state", "unprotect", urn, "--yes", "--stack", stack])

    def holds_replaced_cluster(self, layer: Layer, stack: str) -> bool:
        """Whether the layer's state holds objects of a cluster that is not the present one."""
        shown = ["stack", "export", "--show-secrets", "--stack", stack]
        export = json.loads(self._plain(layer, shown))
        return replaced_clusters.is_left(export, self.kubeconfig(stack))

    def kubeconfig(self, stack: str) -> str:
        """The kubeconfig that the cluster layer publishes. Raises CliError."""
        shown = ["stack", "output", "kubeconfig", "--show-secrets", "--stack", stack]
        return self._plain(CLUSTER, shown)

    def foresee(self, layer: Layer, stack: str) -> Result | None:
        """The result of an update that changes nothing, by a preview; None in all other cases.

        What changes, and why a preview fails, the update itself tells.
        """
        started = time.monotonic()
        arguments = ["preview", "--stack", stack, "--policy-pack", str(ROOT / "policies")]
        self._say(f"$ {_command_line(layer, arguments)}", layer.name)
        code, run, _ = self._attempt(layer, arguments, interactive=False)
        if code or not run.is_unchanged:
            return None
        return Result(layer.name, time.monotonic() - started, run.changes, run.outputs)

    def passes(self, layer: Layer, stack: str) -> bool:
        """Whether a preview of the layer ends well, its policies included. Shows nothing."""
        arguments = ["preview", "--stack", stack, "--policy-pack", str(ROOT / "policies")]
        code, _, _ = self._attempt(layer, arguments, interactive=False, quiet=True)
        return not code

    def state(self, layer: Layer, stack: str) -> Any:
        """The stack's state as a document, its secrets encrypted; None where it cannot be had."""
        if file_backend.is_of_this_machine(self._environment):
            return file_backend.document(layer, stack, self._environment)
        try:
            return json.loads(self._plain(layer, ["stack", "export", "--stack", stack]))
        except (CliError, ValueError):
            return None

    def exported(self, layer: Layer, stack: str) -> Mapping[str, Any]:
        """The exported state of a layer, secrets encrypted; empty for a stack that is not there."""
        try:
            text = self._plain(layer, ["stack", "export", "--stack", stack])
        except CliError as error:
            if _has(str(error), "no stack named"):
                return {}
            raise
        exported: Mapping[str, Any] = json.loads(text)
        return exported

    def secret_output(self, layer: Layer, stack: str, name: str) -> str:
        """An output of a layer in plaintext, whether or not it is a secret. Raises CliError."""
        arguments = ["stack", "output", name, "--show-secrets", "--stack", stack]
        return self._plain(layer, arguments)

    def steps_of_update(self, layer: Layer, stack: str) -> Run:
        """What an update of the layer would do. Shows nothing, and judges no policy.

        Raises CliError when the preview fails for another reason than protected resources.
        """
        arguments = ["preview", "--stack", stack]
        code, run, output = self._attempt(layer, arguments, interactive=False)
        others = [one for one in failures.reasons(run.errors) if not losses.is_refused(one)]
        if code and (others or not run.errors):
            raise self._failure(layer, stack, code, run, output)
        return run

    def judge(self, layer: Layer, stack: str) -> bool:
        """Preview a layer for its policy findings; False when a mandatory policy refuses it.

        Raises CliError when the preview fails for another reason, and for a stack that does not
        exist, which is not created.
        """
        arguments = ["preview", "--stack", stack, "--policy-pack", str(ROOT / "policies")]
        self._say(f"$ {_command_line(layer, arguments)}", layer.name)
        code, run, output = self._attempt(layer, arguments, interactive=False)
        if code and _has(output, "no stack named"):
            raise _no_stack(layer, stack)
        if code and not run.refusals:
            raise self._failure(layer, stack, code, run, output)
        return not code

    def plan(self, layer: Layer, stack: str) -> tuple[Run, CliError | None]:
        """Preview a layer for a report: what its events say, and the error that ended it.

        A stack that does not exist is not created: Exit.NO_STACK.
        """
        arguments = ["preview", "--stack", stack, "--policy-pack", str(ROOT / "policies")]
        self._say(f"$ {_command_line(layer, arguments)}", layer.name)
        code, run, output = self._attempt(layer, arguments, interactive=False)
        if code and _has(output, "no stack named"):
            reason = f"{layer.name}: there is no stack `{stack}` in the backend"
            return run, CliError(reason, "", Exit.NO_STACK)
        return run, self._failure(layer, stack, code, run, output) if code else None

    def drift(self, layer: Layer, stack: str) -> Run:
        """Refresh a layer in memory and preview it: what was found, and what `up` would do then.

        A preview may fail because of what was changed; its `errors` are returned then. Raises
        CliError when it fails before anything was read, or is interrupted, and for a stack that
        does not exist.
        """
        arguments = ["preview", "--stack", stack, "--refresh"]
        self._say(f"$ {_command_line(layer, arguments)}", layer.name)
        code, run, output = self._attempt(layer, arguments, interactive=False, quiet=True)
        if code and _has(output, "no stack named"):
            raise _no_stack(layer, stack)
        has_planned = any(step.op != "refresh" for step in run.steps)
        if code and (run.interrupted or not run.errors or not has_planned):
            raise self._failure(layer, stack, code, run, output)
        return run

    def history(self, layer: Layer, stack: str) -> list[dict[str, Any]]:
        """The stack's updates, the latest first; none where there is no such stack."""
        found: list[dict[str, Any]] = []
        for page in itertools.count(1):
            arguments = ["stack", "history", "--json", "--stack", stack]
            arguments += ["--page-size", str(_PAGE), "--page", str(page)]
            try:
                listed = json.loads(self._plain(layer, arguments) or "[]") or []
            except CliError as error:
                if _has(str(error), "no stack named"):
                    break
                raise
            found += listed
            if len(listed) < _PAGE:
                break
        return found

    def destroy(self, layer: Layer, stack: str, *, interactive: bool) -> Result:
        """Destroy a layer's resources; nothing when the stack does not exist."""
        arguments = [
            "destroy",
            "--stack",
            stack,
            *([] if interactive else ["--yes", "--skip-preview"]),
        ]
        self._settle(layer, stack)
        return self._run(layer, stack, arguments, interactive=interactive, create=False)

    def _settle(self, layer: Layer, stack: str) -> None:
        """Repair the state that a killed update left."""
        self._unlock(layer, stack)
        logs = journal.left(layer, stack, self._environment)
        begun = journal.creations(logs)
        if begun or not file_backend.is_whole(layer, stack, self._environment):
            try:
                self._settle_begun(layer, stack, begun)
            except CliError as error:
                if not _has(str(error), "no stack named") and error.code is not Exit.RESOURCE:
                    raise
                if error.code is Exit.RESOURCE:
                    _remove(logs)  # they are settled but for what is somebody else's
                    raise
        _remove(logs)

    def _settle_begun(self, layer: Layer, stack: str, begun: Sequence[Mapping[str, Any]]) -> None:
        try:
            settling.settle(layer, stack, self._plain, self._say, self._environment, begun)
        except CliError as error:
            if not (error.code is Exit.LOCKED and self._unlock(layer, stack)):
                raise
            settling.settle(layer, stack, self._plain, self._say, self._environment, begun)

    def _adoption(self, layer: Layer, stack: str, run: Run) -> str:
        """How to adopt what exists already, for the hint."""
        try:
            commands = settling.adoption(layer, stack, self._plain, run.taken)
        except CliError:
            return ""
        if not commands:
            return ""
        lines = [f"$ cd {layer.directory}", *(f"$ {command}" for command in commands)]
        return "\nwhat exists, and is this stack's, is adopted by\n  " + "\n  ".join(lines)

    def _keeps_replaced(self, layer: Layer, stack: str, run: Run) -> bool:
        """Whether the names that were refused are those of what an earlier update replaced."""
        if not run.taken:
            return False
        try:
            return settling.restore(layer, stack, self._plain, self._say, run.taken)
        except CliError:
            return False

    def _settle_unanswered(self, layer: Layer, stack: str, run: Run) -> None:
        """Adopt what was created although its creation failed."""
        if not run.unanswered:
            return
        self._unlock(layer, stack)
        try:
            settling.settle(layer, stack, self._plain, self._say, self._environment, run.unanswered)
        except CliError as error:
            names = ", ".join(urns.name(one["urn"]) for one in run.unanswered)
            self._say(f"warning: these may have been created: {names}: {error}", layer.name)

    def _run(
        self, layer: Layer, stack: str, arguments: list[str], *, interactive: bool, create: bool
    ) -> Result:
        if arguments[0] != "up":
            return self._logged(layer, stack, arguments, None, interactive, create)
        with journal.kept(layer, stack, self._environment) as log:
            return self._logged(layer, stack, arguments, log, interactive, create)

    def _logged(
        self,
        layer: Layer,
        stack: str,
        arguments: list[str],
        log: Path | None,
        interactive: bool,
        create: bool,
    ) -> Result:
        started = time.monotonic()
        self._say(f"$ {_command_line(layer, arguments)}", layer.name)
        code, run, output = self._attempt(layer, arguments, interactive=interactive, log=log)
        if code and _has(output, "no stack named"):
            if not create:
                return Result(layer.name, time.monotonic() - started, run.changes, {})
            self._plain(layer, ["stack", "init", stack, "--no-select", "--non-interactive"])
            code, run, output = self._attempt(layer, arguments, interactive=interactive, log=log)
        if code and _has(output, "is currently locked") and self._unlock(layer, stack):
            code, run, output = self._attempt(layer, arguments, interactive=interactive, log=log)
        if code and self._keeps_replaced(layer, stack, run):
            code, run, output = self._attempt(layer, arguments, interactive=interactive, log=log)
        seconds = time.monotonic() - started
        if code:
            self._settle_unanswered(layer, stack, run)
        if code and interactive and not run.errors and not run.refusals:
            if not run.steps:
                self._check_reachable(layer, stack)
            # The preview was shown on the terminal and the confirmation declined.
            raise CliError(f"{layer.name}: not confirmed, nothing was changed", "", Exit.CANCELLED)
        if code:
            failure = self._failure(layer, stack, code, run, output)
            if run.taken and failure.code is Exit.RESOURCE:
                failure.hint += self._adoption(layer, stack, run)
            raise failure
        if arguments[0] == "up":
            self._await_groups(layer, stack, run)
            seconds = time.monotonic() - started
        return Result(layer.name, seconds, run.changes, run.outputs, run.replaced)

    def _attempt(
        self,
        layer: Layer,
        arguments: Sequence[str],
        *,
        interactive: bool,
        quiet: bool = False,
        log: Path | None = None,
    ) -> tuple[int, Run, str]:
        """Run a command once: its exit code, what its events say, and its output.

        `quiet`: what it does with each resource is not shown.
        """
        run = Run(is_preview=arguments[0] == "preview")

        def take(line: str) -> None:
            event = json.loads(line)
            event_stream.emit(layer.name, event)
            shown = run.take(event)
            if on_terminal:
                on_terminal.take(event)
            is_told = on_terminal is not None and not event.keys().isdisjoint(STEPS)
            if shown and not interactive and not quiet and not is_told:
                for part in shown.splitlines():
                    self._say(part, layer.name)

        # An interactive command has the terminal, and shows its own progress.
        with (
            contextlib.nullcontext()
            if interactive
            else BOARD.shows(layer.name, partial(self._known, layer, arguments))
        ) as on_terminal:
            code, run.interrupted, output = process.run(
                [self._pulumi, *arguments],
                folder=ROOT / layer.directory,
                environment=self._environment,
                interactive=interactive,
                take=take,
                log=log,
            )
        return code, run, output

    def _known(self, layer: Layer, arguments: Sequence[str]) -> int:
        """How many resources the layer's state has; 0 where that takes a command to find out."""
        if not file_backend.is_of_this_machine(self._environment):
            return 0
        stack = arguments[arguments.index("--stack") + 1]
        state = stack_state.of_document(self.state(layer, stack))
        return state.count - 1 if state else 0  # the stack itself is one of them

    def _plain(self, layer: Layer, arguments: Sequence[str]) -> str:
        done = subprocess.run(
            # A refresh that outlives us would hold the stack's lock.
            process.dying_with_us([self._pulumi, *arguments]),
            cwd=ROOT / layer.directory,
            env=self._environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            reason = failures.last(done.stderr)
            stack = arguments[arguments.index("--stack") + 1] if "--stack" in arguments else ""
            raise (
                failures.locked(layer, stack, done.stderr)
                or backend.failure(reason, self._environment)
                or CliError(
                    f"`{_command_line(layer, arguments)}`: {reason}", "run it by hand to see more"
                )
            )
        return done.stdout

    def _check_reachable(self, layer: Layer, stack: str) -> None:
        """Raises CliError where the stack cannot be read: the terminal had Pulumi's words."""
        try:
            self._plain(layer, ["stack", "export", "--stack", stack])
        except CliError as error:
            if _has(str(error), "no stack named"):
                raise _no_stack(layer, stack) from None
            raise

    def _failure(self, layer: Layer, stack: str, code: int, run: Run, output: str) -> CliError:
        """The error of a command that failed."""
        away = None
        if code > 0 and not (run.steps or run.errors):
            away = backend.failure(failures.last(output), self._environment)
        return away or failures.error(
            layer, stack, code, run, output, waiting=self._waiting(stack, run)
        )

    def _waiting(self, stack: str, run: Run) -> list[Held]:
        """The pods that the engine has waited for, and that a readiness gate holds."""
        kubeconfig = partial(self.secret_output, CLUSTER, stack, "kubeconfig")
        return lookup.held(run.errors, kubeconfig, self._environment)

    def _await_groups(self, layer: Layer, stack: str, run: Run) -> None:
        """Wait for what the engine does not: the rollouts of models on several hosts."""
        kubeconfig = partial(self.secret_output, CLUSTER, stack, "kubeconfig")
        groups.wait(
            run.steps, kubeconfig, self._environment, lambda text: self._say(text, layer.name)
        )

    def _unlock(self, layer: Layer, stack: str) -> bool:
        """Remove the lock of a dead process from a file backend of this machine."""
        if not file_backend.is_left_locked(layer, stack, self._environment):
            return False
        self._say("removes the lock of a run that was killed", layer.name)
        file_backend.sweep(layer, stack, self._environment)
        self._plain(layer, ["cancel", "--yes", "--stack", stack])
        return True


def _no_stack(layer: Layer, stack: str) -> CliError:
    return CliError(
        f"{layer.name}: there is no stack `{stack}` in the backend",
        f"deploy it, or create it: $ cd {layer.directory} && pulumi stack init {stack}",
        Exit.NO_STACK,
    )


def _command_line(layer: Layer, arguments: Sequence[str]) -> str:
    """A command to repeat by hand from the repository's root; paths are relative to the layer."""
    words = [
        os.path.relpath(word, ROOT / layer.directory) if word.startswith(f"{ROOT}/") else word
        for word in arguments
    ]
    return f"cd {layer.directory} && {shlex.join(['pulumi', *words])}"


def _remove(logs: Sequence[Path]) -> None:
    for log in logs:
        log.unlink(missing_ok=True)


def _has(text: str, *words: str) -> bool:
    return any(word in text for word in words)
