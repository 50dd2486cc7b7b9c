"""An axis: where a value lies in pixels, and the round numbers that are written at it."""

from __future__ import annotations

import math
from dataclasses import dataclass

_ROUND = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from 0 to `most` at pixels from `start` to `end`."""

    most: float
    start: float
    end: float
    step: float
    """Between two values that are written."""

    def at(self, value: float) -> float:
        """The pixel of a value, to a tenth."""
        return round(self.start + (self.end - self.start) * value / self.most, 1)

    @property
    def ticks(self) -> list[float]:
        """The values that are written, 0 among them."""
        return [round(index * self.step, 10) for index in range(round(self.most / self.step) + 1)]


def axis(highest: float, start: float, end: float, *, ticks: int, whole: bool = False) -> Axis:
    """An axis that holds `highest` and ends at a round value, with about so many ticks.

    `whole` is for counts: no tick is a fraction.
    """
    step = _step(max(highest, 0.0) / ticks)
    if whole:
        step = max(step, 1.0)
    return Axis(max(1, math.ceil(round(highest / step, 9))) * step, start, end, step)


def times(seconds: float, start: float, end: float, *, ticks: int) -> Axis:
    """An axis of time, which ends with the last second and not at a round value."""
    return Axis(max(seconds, 1.0), start, end, max(_step(seconds / ticks), 1.0))


def _step(least: float) -> float:
    """The smallest of 1, 2 or 5 times a power of ten that is not below `least`."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(one * power for one in _ROUND if one * power >= least * (1 - 1e-9))
