"""Numbers of tokens as vLLM's arguments take them: `8192`, `32k` (thousands), `32K` (of 1,024).

`human_readable_int` in https://github.com/vllm-project/vllm/blob/main/vllm/engine/arg_utils.py.
"""

import re
from fractions import Fraction

_FORM = re.compile(r"(\d+(?:\.\d+)?)([kmgKMG]?)", re.ASCII)
_SCALES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}


def count(text: str) -> int | None:
    """The number that the text stands for; None if vLLM would not take it as one of 1 or more."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        return None
    number = Fraction(match[1]) * _SCALES[match[2]]
    if number < 1 or (number.denominator != 1 and not match[2]):
        return None
    return int(number)
