"""Values that are no secrets whatever their name: switches, counts and special tokens.

Language models count tokens (`--max-num-batched-tokens=8192`) and have special ones
(`PAD_TOKEN=<pad>`), and images have switches (`ALLOW_EMPTY_PASSWORD=yes`).
"""

import re

_SWITCHES = {
    *("true", "false", "yes", "no", "on", "off", "enabled", "disabled", "none", "null", "auto"),
}
_NUMBER = re.compile(
    r"^[+-]?(\d[\d,_]{0,14})?(\.\d{1,9})?(e[+-]?\d{1,3}|[kmgt]i?|%)?$", re.IGNORECASE
)
_TOKEN = re.compile(r"(?<![A-Za-z])tokens?(?![A-Za-z])", re.IGNORECASE)
_SPECIAL = re.compile(
    r"(^|[_\-.])(pad|eos|bos|unk|sep|cls|mask|stop|start|end|special|image|audio|video|think"
    r"(ing)?|reasoning|decoder[_\-]start)[_\-.]tokens?$",
    re.IGNORECASE,
)
_MARKER = re.compile(r"^(<[^<>]{1,40}>|\[[^\[\]]{1,40}\]|[A-Za-z]{1,8}|\\n)$")
# A number is no secret where the name says what is counted or switched.
_COUNTED = re.compile(
    r"(^|[_\-.])(max|min|num|number|count|total|limit|attempts|retries|length|size|days|seconds"
    r"|minutes|hours|require[sd]?|allow(ed)?|enable[sd]?|disable[sd]?|use|skip|has|is)($|[_\-.])",
    re.IGNORECASE,
)


def is_plain(name: str, value: str) -> bool:
    """Whether a value cannot be a secret, given its name with words separated by `_`, `-`, `.`."""
    if value.lower() in _SWITCHES:
        return True
    if value and _NUMBER.match(value):
        return bool(_TOKEN.search(name) or _COUNTED.search(name))
    return bool(_SPECIAL.search(name) and _MARKER.match(value))
