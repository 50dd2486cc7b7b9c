"""The three sets of labels of a resource: the program's, the provider's, and all that are there.

The program's (`labels`) and the provider's defaults together are `pulumiLabels`; `effectiveLabels`
also holds what others have put there, which is left alone.
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
        """`pulumiLabels`: the defaults, the resource's own, and at creation the attribution."""
        wanted = {**config.labels, **(reveal(own) or {})}
        if state is None:
            return {**config.attribution, **wanted}
        earlier = reveal(state.get("pulumiLabels")) or {}
        kept = {key: value for key, value in ATTRIBUTION.items() if earlier.get(key) == value}
        return {**kept, **wanted}

    @staticmethod
    def effective(wanted: Values, state: Mapping[str, Any] | None) -> Values:
        """What the resource is to have: what is wanted, and what is others'."""
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
        """The three outputs from what is there: of others' labels only the last one knows."""
        own = reveal(inputs.get(field)) or reveal((state or {}).get(field)) or {}
        if not inputs and not state:  # an import: what is there is the program's from now on
            own = {key: value for key, value in live.items() if ATTRIBUTION.get(key) != value}
            return {field: own, "pulumiLabels": dict(live), "effectiveLabels": dict(live)}
        wanted = Labels.wanted(config, own, state if state and "pulumiLabels" in state else None)
        return {
            field: {key: live[key] for key in own if key in live},
            "pulumiLabels": {key: live[key] for key in wanted if key in live},
            "effectiveLabels": dict(live),
        }
