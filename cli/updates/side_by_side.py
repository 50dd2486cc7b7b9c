"""Runs functions that run `pulumi` in threads, and ends their commands at Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Generic, Self, TypeVar

from cli import process

T = TypeVar("T")
_A_MOMENT = 0.5
"""Seconds between two looks for commands that have begun since a Ctrl-C."""


class SideBySide(Generic[T]):
    """Functions that run at the same time, each with a name.

    A context manager: at its end all have ended. Where it ends early, by Ctrl-C or another error,
    their commands are interrupted as by Ctrl-C, and what has not begun does not begin.
    """

    def __init__(self, functions: Mapping[str, Callable[[], T]]) -> None:
        self._functions = functions
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(functions)))
        self._futures: dict[str, Future[T]] = {}

    def __enter__(self) -> Self:
        try:
            for name, function in self._functions.items():
                self._futures[name] = self._pool.submit(function)
        except BaseException as error:  # `with` ends only what has begun whole
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            process.interrupt()
        is_interrupted = False
        while True:
            try:
                while running := [one for one in self._futures.values() if not one.done()]:
                    wait(running, _A_MOMENT)
                    if kind is not None or is_interrupted:
                        process.interrupt(again=False)
                self._pool.shutdown(wait=True)
                break
            except KeyboardInterrupt:
                process.interrupt()
                is_interrupted = True
        if is_interrupted and kind is None:
            raise KeyboardInterrupt

    def has(self, name: str) -> bool:
        """Whether there is a function of this name."""
        return name in self._functions

    def result(self, name: str) -> T:
        """What the function returned; raises what it raised. Waits for its end."""
        return self._futures[name].result()


def run(functions: Mapping[str, Callable[[], T]]) -> dict[str, T]:
    """What each function returns, in their order. An error ends the others, and is raised."""
    with SideBySide(functions) as running:
        return {name: running.result(name) for name in functions}
