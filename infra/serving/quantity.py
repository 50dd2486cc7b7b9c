"""Kubernetes quantities in a stack file: `500m` cores, `2Gi` of memory."""

import re
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from facts.quantity import amount

__all__ = ["MILLI", "Cpu", "Memory", "Quantity", "Size", "amount", "memory_problem", "millis"]

MILLI = 1000
"""Thousandths of a core in a core."""

_SUFFIXES = "k|M|G|T|P|Ki|Mi|Gi|Ti|Pi"
_SMALLEST_MEMORY = 2**20
_OTHER_UNITS = re.compile(r"^([0-9.]+) ?([kmgtp])(i?)b?$", re.IGNORECASE)


def millis(cores: object) -> int:
    """Thousandths of a core in a quantity of cores."""
    return int(amount(cores) * MILLI)


def memory_problem(value: object) -> str | None:
    """What is wrong with an amount of bytes that Kubernetes would accept; None if nothing is.

    Kubernetes reads `512m` as half a byte, and `2` as two bytes.
    """
    try:
        size = amount(value)
    except ValueError:
        return None
    written = str(value)
    if written.endswith("m"):
        number = written[:-1]
        return (
            f"{written} is in thousandths of a byte; did you mean {number}M or {number}Mi "
            "(megabytes or mebibytes)?"
        )
    if size < _SMALLEST_MEMORY:
        number = written.rstrip("kKi")
        return f"{written} is {float(size):g} bytes; did you mean {number}Gi or {number}Mi?"
    return None


def _unit(value: object) -> str | None:
    """For `512mb` or `4gb`: the quantity that was meant."""
    problem = memory_problem(value)
    match = _OTHER_UNITS.match(str(value))
    if problem or match is None:
        return problem
    number, unit = match[1], match[2].upper()
    decimal = "k" if unit == "K" else unit
    return (
        f"{value} is not a Kubernetes quantity; did you mean {number}{decimal} or {number}{unit}i?"
    )


Quantity = Annotated[
    str, Meta(pattern=rf"^[0-9]+(\.[0-9]+)?(m|{_SUFFIXES})?$", extra={"explain": _unit})
]
"""A quantity without sign or exponent; `amount` is its number."""
Size = Annotated[str, Meta(pattern=rf"^[0-9]+(\.[0-9]+)?({_SUFFIXES})?$", extra={"explain": _unit})]
"""A number of bytes: `10Gi`."""

if TYPE_CHECKING:
    Cpu = str
    Memory = str
else:
    Cpu = Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?m?$")] | Annotated[float, Meta(ge=0)]
    # A quantity, since the suffix m is refused by a message that says what it means.
    Memory = Quantity | Annotated[int, Meta(ge=0)]
"""Cores and bytes. Settings with such a field convert numbers to text: `scalars.texts`."""
