"""Reads `pulumi stack export` output: the inputs of deployed resources."""

from collections.abc import Iterator
from typing import Any

from policies.properties import from_json
from policies.sources.documents import Document
from policies.subjects import Resource


def recognizes(content: Any) -> bool:
    """Whether a document is a stack export."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("deployment"), dict)
        and "version" in content
    )


def resources(document: Document) -> Iterator[Resource]:
    """Yield the deployed resources, without those that are pending deletion."""
    states = document.content["deployment"].get("resources") or []
    providers = {
        f"{state['urn']}::{state.get('id', '')}": from_json(state.get("inputs") or {}, "")
        for state in states
        if str(state.get("type", "")).startswith("pulumi:providers:")
    }
    for index, state in enumerate(states):
        if state.get("delete"):
            continue
        name = str(state["urn"]).rpartition("::")[2]
        of_state = document.lines and document.lines.below("deployment", "resources", index)
        yield Resource(
            str(state["type"]),
            from_json(state.get("inputs") or {}, name),
            name,
            str(state["urn"]),
            providers.get(str(state.get("provider", "")), {}),
            protect=bool(state.get("protect")),
            file=document.file,
            line=of_state.line() if of_state else document.line,
            lines=of_state and of_state.below("inputs"),
        )
