"""Kubernetes quantities as exact numbers: `500m`, `1.5Gi`, `2e3`.

The form is that of `resource.Quantity`:
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from fractions import Fraction
from functools import lru_cache

# A longer exponent is no amount of anything, and its power would take all memory.
_FORM = re.compile(
    r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?", re.ASCII
)
_SCALES = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
} | {
    suffix: Fraction(base**power)
    for base, suffixes in ((1000, "k M G T P E"), (1024, "Ki Mi Gi Ti Pi Ei"))
    for power, suffix in enumerate(suffixes.split(), start=1)
}


def amount(quantity: object) -> Fraction:
    """The number that a quantity stands for (cores, bytes); `ValueError` where it is none."""
    found = _amount(str(quantity))
    if found is None:
        raise ValueError(f"{quantity!r} is not a quantity")
    return found


@lru_cache(maxsize=4096)
def _amount(text: str) -> Fraction | None:
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    number, suffix, exponent = match.groups()
    return Fraction(number) * _SCALES.get(suffix, 1) * Fraction(10) ** int(exponent or 0)
