"""Pub/Sub: topics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.spec import Spec, Values


class Topic(Handler):
    """A topic, created by PUT; an update has its mask in the body."""

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create it."""
        body = {key: value for key, value in self.to_api(inputs).items() if key != "name"}
        context.call("PUT", self.path(context), body)
        context.started = True

    def update_remote(
        self, context: Context, inputs: Values, state: Values, changed: set[str]
    ) -> None:
        """One PATCH of what changed."""
        wanted = self.to_api(self._effective(inputs, state))
        part = self._changed_part(wanted, changed)
        body = {"topic": part, "updateMask": ",".join(self._mask(changed))}
        context.call("PATCH", self.path(context), body)

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs, with the last part of the name."""
        return super().from_api({**body, "name": str(body.get("name", "")).rpartition("/")[2]})


HANDLERS: tuple[Handler, ...] = (
    Topic(
        Spec(
            type="gcp:pubsub/topic:Topic",
            schema="pubsub.v1.Topic",
            collection="projects/{project}/topics",
            update="PATCH",
            update_mask=True,
            immutable=frozenset({"tags"}),
            write_only=frozenset({"tags"}),
            labels="labels",
        )
    ),
)
