"""Published configurations of well-known language models. Source: the data file, which has a date.

A name is that of Hugging Face, and stands for the weights as published there. What a configuration
means for a server's memory is in `gkeplatform.sizing`.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from facts.files import models


def configuration(name: str) -> Mapping[str, Any] | None:
    """What is known of the model's `config.json`, with its own keys; None for an unknown name."""
    return _by_name().get(name.casefold())


def names() -> Iterable[str]:
    """All names, also of models that share the configuration of another."""
    for name, entry in models()["models"].items():
        yield name
        yield from entry["also"]


def first_names() -> Iterable[str]:
    """One name for each configuration."""
    return tuple(models()["models"])


def of_folder(url: str) -> str | None:
    """The model whose name a folder's URL ends with: `…/ORG/NAME`, or `…/NAME`; None if none."""
    parts = url.rstrip("/").split("/")
    for length in (2, 1):
        found = _by_ending().get("/".join(parts[-length:]).casefold())
        if found:
            return found
    return None


def date() -> str:
    """The day on which the table was last compared with its source."""
    return str(models()["date"])


@cache
def _by_name() -> Mapping[str, Mapping[str, Any]]:
    return {
        name.casefold(): entry["config"]
        for first, entry in models()["models"].items()
        for name in (first, *entry["also"])
    }


@cache
def _by_ending() -> Mapping[str, str]:
    whole = {name.casefold(): name for name in names()}
    return {name.rpartition("/")[2].casefold(): name for name in names()} | whole
