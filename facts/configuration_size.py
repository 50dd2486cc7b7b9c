"""The size of a stack file's configuration, and the most that an operating system passes on.

The language host passes the whole configuration to a program in one environment variable, and the
engine passes it to the policy pack in the same way. Linux limits one variable to 128 KiB. This
module neither reads files nor starts processes.
"""

import json
from collections.abc import Mapping
from typing import Any

VARIABLE = "PULUMI_CONFIG"
LIMIT = 128 * 1024 - len(f"{VARIABLE}=\0")
"""The largest value of the variable, in bytes.

`MAX_ARG_STRLEN` of Linux is 32 pages of 4 KiB, and counts the variable's name and the closing NUL
(execve(2), "Limits on size of arguments and environment").
"""

MODELS = "gke-serving:models"
_REMEDIES = {
    MODELS: "move models into files of a folder, which does not count: set gke-serving:catalogue: "
    "models/<environment> (stacks/README.md, Models in a folder)",
    "gke-networking:private_keys": "let Google manage certificates, which need no private keys",
}
_ESCAPED_BY_GO = "<>&\u2028\u2029"


def encoded(config: Mapping[str, str]) -> str:
    """The variable's value: compact JSON as the official language host writes it."""
    return _json(config)


def size(config: Mapping[str, str]) -> int:
    """The bytes of the variable's value; `config` maps each key to its text."""
    return len(encoded(config).encode())


def text(value: Any) -> str:
    """A value of a parsed stack file as the engine hands it over: text, or compact JSON."""
    return value if isinstance(value, str) else _json(value)


def problem(config: Mapping[str, Any], *, file: str) -> str | None:
    """Why `config`, parsed or as text, cannot be passed to a program; None if it can."""
    texts = {str(key): text(value) for key, value in config.items()}
    total = size(texts)
    if total <= LIMIT:
        return None
    largest = max(texts, key=lambda key: size({key: texts[key]}))
    return (
        f"{file}: the configuration has {total:,} bytes, and Linux passes at most {LIMIT:,} to a "
        f"program; {largest} has {size({largest: texts[largest]}):,} of them\n"
        f"hint: {_REMEDIES.get(largest, 'shorten it')}"
    )


def _json(value: Any) -> str:
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    for character in _ESCAPED_BY_GO:
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written
