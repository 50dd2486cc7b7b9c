"""Waits until an object is ready or deleted; ends at once on cancel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.plugins.kubernetes import readiness, wait_for
from sandbox.plugins.kubernetes.client import ApiError, Client, Unreachable
from sandbox.plugins.kubernetes.names import group
from sandbox.plugins.provider import PluginError

Json = dict[str, Any]
Say = Callable[[str], None]
_SECONDS = 600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_SECONDS_BETWEEN_WORDS = 2.0
_SKIP = "pulumi.com/skipAwait"
_TIMEOUT = "pulumi.com/timeoutSeconds"


class NotReadyError(Exception):
    """The object exists but is not ready: the reason, and its last state."""

    def __init__(self, reasons: list[str], live: Json) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons
        self.live = live


def is_skipped(inputs: Json, *, deleting: bool = False) -> bool:
    """Whether the annotation skips the wait; "ready" still waits for deletion."""
    value = str(_annotations(inputs).get(_SKIP)).lower()
    return value == "true" or (value == "ready" and not deleting)


def seconds(inputs: Json, custom: float) -> float:
    """The timeout: the annotation, else the custom timeout, else the default."""
    asked = str(_annotations(inputs).get(_TIMEOUT, ""))
    return float(asked) if asked.isdigit() else custom or _SECONDS


def _annotations(inputs: Json) -> Json:
    return (inputs.get("metadata") or {}).get("annotations") or {}


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait for one object."""

    client: Client
    path: str
    cancelled: threading.Event
    seconds: float
    say: Say
    """Called with the reason whenever it changes, and with "" at the end; not for short waits."""

    def until_ready(self, live: Json) -> Json:
        """Wait until ready; returns the object. Raises NotReadyError, or PluginError if deleted."""
        check = wait_for.check(live) or readiness.CHECKS.get(f"{group(live)}/{live['kind']}")
        if check is None:
            return live
        begun, pause, said, looked = time.monotonic(), _FIRST_PAUSE, "", 0.0
        try:
            while pending := check(self.client, live):
                problem = self._problem(begun) or readiness.hopeless(live)
                if problem:
                    found = readiness.troubles(self.client, live)
                    raise NotReadyError([f"{problem}: {pending}", *found], live)
                now = time.monotonic()
                if now - max(begun, looked) > _SECONDS_BETWEEN_WORDS:
                    looked = now
                    text = "; ".join([pending, *readiness.troubles(self.client, live)[:2]])
                    if text != said:
                        said = text
                        self.say(text)
                self.cancelled.wait(pause)
                pause = min(_LONGEST_PAUSE, pause * 1.4)
                seen = self.client.get(self.path)
                if seen is None:
                    raise PluginError("somebody deleted it while it was awaited")
                live = seen
        except (ApiError, Unreachable) as error:
            # The object exists and must stay in the state although it cannot be read.
            raise NotReadyError([f"cannot see whether it is ready: {error}"], live) from None
        finally:
            if said:
                self.say("")
        return live

    def until_gone(self, uid: str) -> None:
        """Wait until the object is deleted or replaced. Raises PluginError."""
        begun, pause = time.monotonic(), _FIRST_PAUSE
        said = False
        while (live := self.client.get(self.path)) and live["metadata"]["uid"] == uid:
            finalizers = ", ".join(live["metadata"].get("finalizers") or [])
            held = f"finalizers hold it: {finalizers}" if finalizers else "its deletion goes on"
            if problem := self._problem(begun, "not gone"):
                raise PluginError(f"{problem}: {held}")
            if finalizers and not said and time.monotonic() - begun > _SECONDS_BETWEEN_WORDS:
                said = True
                self.say(held)
            self.cancelled.wait(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.4)

    def _problem(self, begun: float, what: str = "not ready") -> str | None:
        if self.cancelled.is_set():
            return "cancelled while waiting"
        if time.monotonic() - begun > self.seconds:
            return f"{what} after {self.seconds:.0f} s"
        return None
