"""Runs a drill: the load in this thread's event loop, the drill's steps in another thread."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

from cli.courses.course import changes
from cli.drills.budget import BudgetWatch, budget_of, seconds_below
from cli.drills.drill import Drill
from cli.drills.report import Report
from cli.drills.scene import Scene
from cli.drills.timeline import CancelledError
from cli.errors import CliError, Exit
from cli.traffic import load
from cli.traffic.figures import Result
from cli.traffic.target import Target

Note = Callable[..., None]
"""Gets the figures so far, and by name what else a course has (`cli.courses.following`)."""
_LONGEST = 6 * 3600.0
"""Seconds; a drill ends long before."""


class _Play:
    """The steps of a drill, and when they were made."""

    def __init__(self, drill: Drill, scene: Scene) -> None:
        self._drill, self._scene = drill, scene
        self.acted = self.restored = 0.0

    def run(self, found: object) -> None:
        """Act and restore, with a time of observation before and after. Raises CliError."""
        scene, timeline = self._scene, self._scene.timeline
        timeline.sleep(scene.seconds)
        self.acted = timeline.now
        try:
            self._drill.act(scene, found)
        finally:
            # Once: a second interruption must not leave the environment as it is.
            interrupted = timeline.cancelled
            timeline.cancelled = threading.Event()
            self._drill.restore(scene, found)
            timeline.cancelled = interrupted
        self.restored = timeline.now
        timeline.sleep(scene.seconds)


def run(drill: Drill, scene: Scene, target: Target, rate: float, note: Note) -> Report:
    """Run a drill to its end. `note` is told its course each second. Raises CliError."""
    found = drill.prepare(scene)
    timeline = scene.timeline
    workload = scene.workload()
    budget = budget_of(scene.cluster, workload)
    watch = BudgetWatch(scene.cluster, budget, workload, lambda: timeline.now)
    play = _Play(drill, scene)

    def told(result: Result) -> None:
        note(
            result,
            events=tuple(timeline.events),
            replicas=changes(watch.samples[:]),
            acted=play.acted or None,
            restored=play.restored or None,
        )

    timeline.begin()
    watch.start()
    try:
        with asyncio.Runner() as runner:
            result = runner.run(_loaded(play, found, target, rate, scene, told))
    except CancelledError:
        raise CliError("the drill was interrupted, and taken back", "", Exit.CANCELLED) from None
    except (OSError, ValueError) as error:
        raise CliError(f"{target.url}: {error}") from None
    finally:
        watch.stop()
    fewest = watch.fewest
    return Report(
        drill=drill,
        result=result,
        events=tuple(timeline.events),
        acted=play.acted,
        restored=play.restored,
        below_budget=None if fewest is None else seconds_below(watch.samples),
        fewest=None if fewest is None else fewest.healthy,
        desired=None if fewest is None else fewest.desired,
        replicas=tuple(watch.samples),
    )


async def _loaded(
    play: _Play, found: object, target: Target, rate: float, scene: Scene, told: load.OnTick
) -> Result:
    end = asyncio.Event()
    with _interruption(scene):
        sending = asyncio.create_task(
            load.run(
                target,
                rate=rate,
                seconds=_LONGEST,
                end=end,
                begun=scene.callers.bind,
                on_tick=told,
            )
        )
        try:
            await asyncio.to_thread(play.run, found)
        finally:
            end.set()
            result = await sending
    return result


@contextlib.contextmanager
def _interruption(scene: Scene) -> Iterator[None]:
    """Let Ctrl-C end the drill by taking it back."""
    cancelled, loop = scene.timeline.cancelled, asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, cancelled.set)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
