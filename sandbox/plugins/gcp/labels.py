"""A resource's labels: the program's, the program's with the provider's, and all of them.

`labels` and the provider's default labels make up `pulumiLabels`; `effectiveLabels` also has the
labels that others have set, which the plugin leaves alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.plugins.gcp.config import ATTRIBUTION, Config
from sandbox.plugins.gcp.translate import reveal

Values = dict[str, Any]


class Labels:
    """Pure functions over the labels of one resource."""

    @staticmethod
    def wanted(config: Config, own: Any, state: Mapping[str, Any] | None) -> Values:
        """`pulumiLabels`: the defaults, the resource's own and, at creation, the attribution."""
        wanted = {**config.labels, **(reveal(own) or {})}
        if state is None:
            return {**config.attribution, **wanted}
        earlier = reveal(state.get("pulumiLabels")) or {}
        kept = {key: value for key, value in ATTRIBUTION.items() if earlier.get(key) == value}
        return {**kept, **wanted}

    @staticmethod
    def effective(wanted: Values, state: Mapping[str, Any] | None) -> Values:
        """`effectiveLabels` to set: the wanted ones and those of others."""
        if state is None:
            return dict(wanted)
        there = reveal(state.get("effectiveLabels")) or {}
        earlier = reveal(state.get("pulumiLabels")) or {}
        return {**{k: v for k, v in there.items() if k not in earlier}, **wanted}

    @staticmethod
    def outputs(
        field: str,
        live: Mapping[str, Any],
        config: Config,
        inputs: Mapping[str, Any],
        state: Mapping[str, Any] | None,
    ) -> Values:
        """The three outputs, from the current labels."""
        own = reveal(inputs.get(field)) or reveal((state or {}).get(field)) or {}
        if not inputs and not state:  # an import: the current labels become the program's
            own = {key: value for key, value in live.items() if ATTRIBUTION.get(key) != value}
            return {field: own, "pulumiLabels": dict(live), "effectiveLabels": dict(live)}
        wanted = Labels.wanted(config, own, state if state and "pulumiLabels" in state else None)
        return {
            field: {key: live[key] for key in own if key in live},
            "pulumiLabels": {key: live[key] for key in wanted if key in live},
            "effectiveLabels": dict(live),
        }
