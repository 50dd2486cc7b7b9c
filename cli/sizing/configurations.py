"""A model's configuration: a file, the repository's table, or Hugging Face."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cli.errors import CliError, Exit, meant
from facts import models
from gkeplatform.sizing.architecture import Architecture, UnknownConfigurationError, architecture

HUB = "https://huggingface.co"
_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_SECONDS = 15
_GATED = {401, 403}
_MOST = 6
"""Names of a hint."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A model and where its configuration is from."""

    name: str
    source: str
    """For the report: `the table of 2026-11-27`."""
    model: Architecture


def find(model: str, *, hub: str = HUB) -> Configuration:
    """The configuration of a file, a folder or a model's name; CliError if there is none."""
    path = Path(model)
    if path.is_dir():
        path = path / "config.json"
    if path.is_file() or model.endswith(".json") or model.startswith((".", "/", "~")):
        return _understood(str(path), str(path), _read(path))
    # A name without its organization is enough for a model of the table.
    name = models.of_folder(model) or model
    if (known := models.configuration(name)) is not None:
        return _understood(name, f"the table of {models.date()}", known)
    if not _NAME.fullmatch(model):
        near = [name for name in models.names() if model.casefold() in name.casefold()][:_MOST]
        raise CliError(
            f"`{model}` is neither a file nor the name of a model, ORGANIZATION/NAME",
            f"models of the table: {', '.join(near)}"
            if near
            else f"{meant(model, models.names())}give a name as on Hugging Face, or a config.json",
            Exit.USAGE,
        )
    return _understood(model, f"{hub}/{model}", _downloaded(model, hub))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return _mapping(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        hint = "give a model's config.json, the folder that has it, or a name on Hugging Face"
        raise CliError(f"{path} cannot be read: {reason}", hint, Exit.USAGE) from None


def _downloaded(model: str, hub: str) -> Mapping[str, Any]:
    url = f"{hub}/{model}/resolve/main/config.json"
    token = os.environ.get("HF_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    beside = f"{meant(model, models.names())}download its config.json, and give the file's path"
    try:
        answer = httpx.get(url, headers=headers, timeout=_SECONDS, follow_redirects=True)
    except httpx.HTTPError as error:
        raise CliError(
            f"{model} is not in the table, and {url} cannot be reached: {_reason(error)}", beside
        ) from None
    if answer.status_code in _GATED:
        raise CliError(
            f"{model} is not in the table, and {url} answers {answer.status_code}: there is no "
            "such model, or it is gated",
            f"set HF_TOKEN to the token of an account with access, or {beside}",
            Exit.AUTHENTICATION,
        )
    if answer.status_code != httpx.codes.OK:
        raise CliError(
            f"{model} is not in the table, and {url} answers {answer.status_code}",
            beside,
            Exit.USAGE if answer.status_code == httpx.codes.NOT_FOUND else Exit.ERROR,
        )
    return _mapping(answer.text, url)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _mapping(text: str, place: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise CliError(f"{place} is not JSON: {error}", "", Exit.USAGE) from None
    if not isinstance(found, dict):
        raise CliError(f"{place} is not a JSON object, as a config.json is", "", Exit.USAGE)
    return found


def _understood(name: str, source: str, config: Mapping[str, Any]) -> Configuration:
    try:
        return Configuration(name, source, architecture(config))
    except UnknownConfigurationError as error:
        raise not_reckoned(name, error) from None
    except (TypeError, AttributeError, KeyError, ZeroDivisionError) as error:
        # A key that has another type than in every published file.
        raise not_reckoned(name, f"a key is not as in a published config.json: {error}") from None


def not_reckoned(name: str, reason: object) -> CliError:
    """The error for a model whose memory cannot be told."""
    return CliError(f"the memory of {name} cannot be reckoned: {reason}", "", Exit.USAGE)
