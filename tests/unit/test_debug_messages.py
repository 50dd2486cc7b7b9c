"""Programs send the engine no debug messages, unless somebody wants to see them."""

from typing import Any

import pulumi
import pytest

from gkeplatform import debug_messages


class Engine:
    """The engine, as far as it is told messages."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def Log(self, request: Any) -> None:  # noqa: N802
        self.told.append(request.message)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    found = Engine()
    monkeypatch.setattr(pulumi.log, "get_engine", lambda: found)
    monkeypatch.setattr(pulumi.log, "debug", pulumi.log.debug)  # put back at the end
    return found


def speak() -> None:
    pulumi.log.debug("prepares")
    pulumi.log.info("says")
    pulumi.log.warn("warns")


@pytest.mark.parametrize("value", ["", "false", "0"])
def test_debug_messages_are_held_back(engine: Engine, value: str) -> None:
    debug_messages.hold_back({debug_messages.VARIABLE: value})
    speak()
    assert engine.told == ["says", "warns"]


@pytest.mark.parametrize("value", ["true", "1", "True"])
def test_debug_messages_are_sent_to_whoever_asks(engine: Engine, value: str) -> None:
    debug_messages.hold_back({debug_messages.VARIABLE: value})
    speak()
    assert engine.told == ["prepares", "says", "warns"]
