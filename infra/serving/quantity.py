"""Kubernetes quantities in a stack file: `500m` cores, `2Gi` of memory."""

import re
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from facts.quantity import amount

__all__ = [
    "MILLI",
    "Bytes",
    "Cpu",
    "Memory",
    "Number",
    "Quantity",
    "Size",
    "amount",
    "cores_problem",
    "memory_problem",
    "millis",
]

MILLI = 1000
"""Thousandths of a core in a core."""

_SUFFIXES = "k|M|G|T|P|Ki|Mi|Gi|Ti|Pi"
_SMALLEST_MEMORY = 2**20
_OTHER_UNITS = re.compile(r"^([0-9.]+) ?([kmgtp])(i?)b?$", re.IGNORECASE)
_CORES = re.compile(r"^([0-9]+([.,][0-9]+)?) ?(m|c|v?cpus?|cores?)?$", re.IGNORECASE)


def millis(cores: object) -> int:
    """Thousandths of a core in a quantity of cores."""
    return int(amount(cores) * MILLI)


def cores_problem(value: object) -> str | None:
    """What is wrong with a number of cores that has the right form; None if nothing is."""
    if (amount(value) * MILLI).denominator == 1:
        return None
    return (
        f"{value} is finer than a thousandth of a core, the least that Kubernetes allows; did you "
        f"mean {max(1, millis(value))}m?"
    )


def memory_problem(value: object) -> str | None:
    """What is wrong with an amount of bytes that Kubernetes would accept; None if nothing is.

    Kubernetes reads `512m` as half a byte, and `2` as two bytes.
    """
    try:
        size = amount(value)
    except ValueError:
        return None
    written = str(value)
    if size <= 0:
        return f"{written} is no amount of bytes; name what is needed, as 512Mi or 2Gi"
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
    """For `512mb`, `4gb` or `1e9`: the quantity that was meant."""
    written = str(value).strip()
    if problem := memory_problem(written):
        return problem
    if match := _OTHER_UNITS.match(written):
        number, unit = match[1], match[2].upper()
        decimal = "k" if unit == "K" else unit
        nearest = dict.fromkeys((f"{number}{decimal}", f"{number}{unit}i"))
        return f"{value} is not a Kubernetes quantity; did you mean {' or '.join(nearest)}?"
    try:
        size = amount(written)
    except ValueError:
        pass
    else:
        return f"{value} is not written as sizes are here; write {int(size)}, or use a unit: 512Mi"
    return f'"{value}" is not a number with a unit of Kubernetes, as 512Mi, 2Gi or 1.5G are'


def _cores(value: object) -> str:
    """For `500M` or `2 cores`: the number of cores that was meant."""
    written = str(value).strip()
    match = _CORES.match(written)
    if match is None:
        return f'"{value}" is not a number of cores, as 2, 0.5 or 500m are'
    unit = "m" if (match[3] or "").lower() == "m" else ""
    meant = f"{match[1].replace(',', '.')}{unit}"
    return f'"{value}" is not a number of cores; did you mean {meant}?'


def _number(value: object) -> str:
    return f'"{value}" is not a number, as 20, 0.5 or 500m (thousandths) are'


Quantity = Annotated[
    str, Meta(pattern=rf"^[0-9]+(\.[0-9]+)?(m|{_SUFFIXES})?$", extra={"explain": _number})
]
"""A quantity without sign or exponent; `amount` is its number."""
Bytes = Annotated[
    str, Meta(pattern=rf"^[0-9]+(\.[0-9]+)?({_SUFFIXES})?$", extra={"explain": _unit})
]
"""Any number of bytes: `64k`."""
Size = Annotated[
    str,
    Meta(
        pattern=r"^(?=.*[1-9])([0-9]{7,}|[0-9]{4,}(\.[0-9]+)?(k|Ki)"
        r"|[0-9]+(\.[0-9]+)?(M|G|T|P|Mi|Gi|Ti|Pi))$",
        extra={"explain": _unit},
    ),
]
"""A number of bytes of at least about a megabyte: `10Gi`. An emptyDir of size 0 has no limit."""

if TYPE_CHECKING:
    Cpu = str
    Memory = str
    Number = str
else:
    Cpu = (
        Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?m?$", extra={"explain": _cores})]
        | Annotated[float, Meta(ge=0)]
    )
    # The suffix m and too few bytes are refused by a message that says what they mean.
    Memory = (
        Annotated[
            str, Meta(pattern=rf"^[0-9]+(\.[0-9]+)?(m|{_SUFFIXES})?$", extra={"explain": _unit})
        ]
        # Whole numbers too, and `1.5e9`, which YAML has as a number with a fraction.
        | Annotated[float, Meta(ge=0)]
    )
    Number = Quantity | Annotated[float, Meta(ge=0)]
"""Cores, bytes and targets. Settings with such a field convert numbers to text: `scalars.texts`."""
