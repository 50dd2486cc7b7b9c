"""Values that are no secrets whatever their name: switches, counts, paths, references.

Language models count tokens (`--max-num-batched-tokens=8192`) and have special ones
(`PAD_TOKEN=<pad>`), images have switches (`ALLOW_EMPTY_PASSWORD=yes`), and vLLM's clients send the
key `EMPTY` to a server without one.
"""

import re

from policies.secret_names import ends_in_secret

_WORDS = {
    *("true", "false", "yes", "no", "on", "off", "enabled", "disabled", "none", "null", "auto"),
    *("empty", "unused", "not-needed", "not_needed", "n/a", "[]", "{}", "|", ">", "|-", ">-", "~"),
}
_NUMBER = re.compile(
    r"^[+-]?(\d[\d,_]{0,14})?(\.\d{1,9})?(e[+-]?\d{1,3}|[kmgt]i?|%)?$", re.IGNORECASE
)
_DURATION = re.compile(r"^(\d{1,9}(ns|us|ms|s|m|h|d|w|y))+$")
_TOKEN = re.compile(r"(?<![A-Za-z])tokens?(?![A-Za-z])", re.IGNORECASE)
_SPECIAL = re.compile(
    r"(^|[_\-.])(pad|eos|bos|unk|sep|cls|mask|stop|start|end|special|image|audio|video|think"
    r"(ing)?|reasoning|decoder[_\-]start)[_\-.]tokens?$",
    re.IGNORECASE,
)
_MARKER = re.compile(r"^(\[[^\[\]]{1,40}\]|[A-Za-z]{1,8}|\\n|[^\w\s]{1,8})$")
_PLACEHOLDER = re.compile(r"^<[^<>]{1,64}>$")
# A number is no secret where the name says what is counted or switched.
_COUNTED = re.compile(
    r"(^|[_\-.])(max|min|num|number|count|total|limit|attempts|retries|length|size|days|seconds"
    r"|minutes|hours|require[sd]?|allow(ed)?|enable[sd]?|disable[sd]?|use|skip|has|is)($|[_\-.])",
    re.IGNORECASE,
)
_PATH = re.compile(r"^(~|\.{1,2})?(/[\w.\-@]{1,64}){1,32}/?$")
_REFERENCE = re.compile(
    r"\$[({]|\{\{|^\$[A-Za-z_]|^projects/[^/]+/(secrets|locations|serviceAccounts)/"
    r"|^(arn|vault|ref\+\w+|gcp|aws|azure|env|file|secret|sm|ssm|op|doppler|awssm|gcpsm|kms)s?:"
)
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]{0,30}://[^\s@?]*$")


def is_plain(name: str, value: str) -> bool:
    """Whether a value cannot be a secret, given its name with words separated by `_`, `-`, `.`."""
    if value.lower() in _WORDS or _PLACEHOLDER.match(value):
        return True
    if _NUMBER.match(value) or _DURATION.match(value):
        if not ends_in_secret(name):
            return True
        return bool(_TOKEN.search(name) or _COUNTED.search(name))
    if _PATH.match(value) or _URL.match(value) or _REFERENCE.search(value):
        return True
    return bool(_SPECIAL.search(name) and _MARKER.match(value))
