"""A log of states: what is tried again and again is said once, and again when it changes."""

from __future__ import annotations

import logging
from collections.abc import Collection


class StateLog:
    """What the log last said of each thing that does not work yet."""

    def __init__(self, log: logging.Logger, level: int = logging.INFO) -> None:
        self._log = log
        self._level = level
        self._said: dict[str, str] = {}

    def say(self, key: str, state: str) -> None:
        """Log the state of a thing, if it is another than before."""
        if self._said.get(key) != state:
            self._said[key] = state
            self._log.log(self._level, "%s", state)

    def keep(self, keys: Collection[str]) -> None:
        """Forget the others, which are well."""
        self._said = {key: state for key, state in self._said.items() if key in keys}
