"""Generation of random values from the operating system's source of randomness."""

from __future__ import annotations

import base64
import random
import secrets
import time
import uuid

from sandbox.plugins.values import Properties

LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
DIGITS = "0123456789"
SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_WORDS = {
    "adverb": "ably apparently boldly brightly calmly closely duly easily evenly fairly firmly "
    "freely gently gladly greatly jointly kindly largely lightly mainly neatly nicely openly "
    "partly plainly quietly rarely readily safely sharply simply smoothly softly solely truly",
    "adjective": "able active apt aware brave bright calm clean clear cosmic eager easy exact "
    "fair fast firm fit fond free fresh full glad good grand great happy hardy humble keen kind "
    "large lively loyal lucky mellow merry mighty modest neat nice noble novel one open patient",
    "animal": "adder alpaca ape asp badger bat bear bee bison boar buck camel cat clam cobra cod "
    "colt crab crane crow deer dog dove duck eagle eel elf elk emu falcon finch fish fly fox frog "
    "gnat goat goose grub gull hare hawk hen heron hog horse ibex jackal jay kit koala lamb lark",
}
_SYSTEM = random.SystemRandom()


def password(inputs: Properties) -> str:
    """A string of `length` characters that meets the `min*` counts.

    Raises ValueError if no characters are allowed or the minima exceed the length.
    """
    digits = bool(inputs.get("numeric", inputs.get("number", True)))
    pools = {
        "minLower": LOWER if inputs.get("lower", True) else "",
        "minUpper": UPPER if inputs.get("upper", True) else "",
        "minNumeric": DIGITS if digits else "",
        "minSpecial": (inputs.get("overrideSpecial") or SPECIAL)
        if inputs.get("special", True)
        else "",
    }
    everything = "".join(pools.values())
    length = int(inputs["length"])
    if not everything:
        raise ValueError(
            "no kind of character is allowed: set one of lower, upper, numeric, special"
        )
    drawn: list[str] = []
    for minimum, pool in pools.items():
        count = int(inputs.get(minimum) or 0)
        if count and not pool:
            raise ValueError(f"{minimum} is {count}, but that kind of character is not allowed")
        drawn += [secrets.choice(pool) for _ in range(count)]
    if len(drawn) > length:
        raise ValueError(f"the minima add up to {len(drawn)}, more than the length {length}")
    drawn += [secrets.choice(everything) for _ in range(length - len(drawn))]
    _SYSTEM.shuffle(drawn)
    return "".join(drawn)


def encodings(data: bytes, prefix: str) -> Properties:
    """The encodings of RandomId's bytes."""
    return {
        "b64Std": prefix + base64.b64encode(data).decode(),
        "b64Url": prefix + url_encoding(data),
        "dec": prefix + str(int.from_bytes(data)),
        "hex": prefix + data.hex(),
    }


def url_encoding(data: bytes) -> str:
    """URL-safe base64 without padding: RandomId's id."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def pet(words: int, prefix: str | None, separator: str) -> str:
    """A name of `words` words, the last one an animal."""
    kinds = ["adverb"] * max(0, words - 2) + (["adjective"] if words > 1 else []) + ["animal"]
    drawn = [secrets.choice(_WORDS[kind].split()) for kind in kinds]
    return separator.join([prefix, *drawn] if prefix else drawn)


def integer(low: int, high: int, seed: str | None) -> int:
    """A whole number from low to high, inclusive; the same for the same seed."""
    source = random.Random(seed) if seed else _SYSTEM  # noqa: S311 (a seed asks for just that)
    return source.randint(low, high)


def shuffled(items: list[str], count: int | None, seed: str | None) -> list[str]:
    """The items shuffled; `count` of them, repeated if there are fewer."""
    source = random.Random(seed) if seed else _SYSTEM  # noqa: S311 (a seed asks for just that)
    wanted = len(items) if count is None else count
    result: list[str] = []
    while items and len(result) < wanted:
        round_ = list(items)
        source.shuffle(round_)
        result += round_
    return result[:wanted]


def uuid7() -> str:
    """A UUID of version 7: 48 bits of milliseconds, then random bits."""
    milliseconds = int(time.time() * 1000)
    value = (milliseconds << 80) | secrets.randbits(80)
    value = (value & ~(0xF << 76)) | (7 << 76)
    value = (value & ~(0x3 << 62)) | (2 << 62)
    return str(uuid.UUID(int=value))
