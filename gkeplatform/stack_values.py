"""The keys of a stack file on disk, as the engine hands them to a program.

For checking a file without the engine. A program itself gets its values from the engine.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facts import configuration_size
from gkeplatform import yaml_files
from gkeplatform.environment import file_of
from gkeplatform.errors import PlatformError
from gkeplatform.explanation import REFERENCE


def read(environment: str, *, root: Path) -> dict[str, str]:
    """The keys of an environment's file below the repository `root`.

    Raises `PlatformError` where the file cannot be read, is not YAML, has no keys, or has more of
    them than the engine can pass to a program.
    """
    file = file_of(environment)
    document = yaml_files.read(root / file, file).value
    values = of_document(document, file)
    if problem := configuration_size.problem(document["config"], file=file):
        raise PlatformError(problem)
    return values


def of_document(document: Any, file: str) -> dict[str, str]:
    """The keys of a stack file that has been parsed: text as it is, all else as JSON."""
    if document is not None and not isinstance(document, dict):
        raise PlatformError(f'{file}: expected a mapping with the key "config"')
    config = (document or {}).get("config")
    if config is not None and not isinstance(config, dict):
        raise PlatformError(f"{file}: config: expected a mapping of keys")
    if not config:
        raise no_keys(file)
    return {
        str(key): value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
    }


def of_project(values: Mapping[str, str], project: str) -> dict[str, str]:
    """`values` as a project's program gets them: a key without a namespace is the project's."""
    return {key if ":" in key else f"{project}:{key}": value for key, value in values.items()}


def no_keys(file: str) -> PlatformError:
    """The error for a file that is empty, has only comments, or has no keys below `config`."""
    return PlatformError(
        f'{file}: no configuration; put the environment\'s keys below "config:"\n'
        f"hint: every key is described in {REFERENCE}"
    )
