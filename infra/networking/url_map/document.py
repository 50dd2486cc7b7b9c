"""The URL map as the API has it, with names in place of self links: for foretelling its routes."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from infra.networking.url_map import arguments
from infra.networking.url_map.matchers import Matcher

if TYPE_CHECKING:
    from infra.networking.url_map.actions import Links

DEFAULT = "(static files)"
"""Stands for the default backend. No version of a model has such a name."""
_UPPER = re.compile(r"_([a-z])")


def document(planned: Iterable[Matcher]) -> dict[str, Any]:
    """The URL map of planned matchers; versions of models stand for their backend services."""
    matchers = tuple(planned)
    versions = {version for one in matchers for rule in one.rules for version, _ in rule.shares}
    # Plain text in place of outputs: the arguments only hold what they are given.
    links = cast("Links", {version: version for version in versions})
    default = cast("Any", DEFAULT)
    made = {
        "default_service": default,
        "host_rules": arguments.host_rules(matchers),
        "path_matchers": [arguments.path_matcher(one, links, default) for one in matchers],
    }
    return cast("dict[str, Any]", _spelled(made))


def _spelled(value: object) -> object:
    """Arguments with the API's spelling of their keys."""
    if isinstance(value, dict):
        return {_UPPER.sub(lambda m: m[1].upper(), k): _spelled(v) for k, v in value.items()}
    return [_spelled(one) for one in value] if isinstance(value, list) else value
