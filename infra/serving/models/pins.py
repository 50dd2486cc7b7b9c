"""Images of the presets, with release date and source, and which of them are old."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

OLD_DAYS = 180
"""Age from which a pin is reported. Model servers get security fixes about every month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """An image with a fixed tag."""

    image: str
    released: date
    """Day of the release. Where only the month is known, its first day: never too young."""
    source: str
    """The release notes, or the list of releases."""

    def age(self, today: date) -> int:
        """Days since the release."""
        return (today - self.released).days


def old(pins: Mapping[str, Pin], today: date) -> list[str]:
    """A message for each pin that is older than `OLD_DAYS`; the keys of `pins` name their use."""
    return [
        f"{name}: {pin.image} was released on {pin.released}, {pin.age(today)} days ago; look for "
        f"a newer one at {pin.source}"
        for name, pin in pins.items()
        if pin.age(today) > OLD_DAYS
    ]
