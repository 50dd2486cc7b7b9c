"""Cloud Logging: log buckets, sinks and exclusions of projects.

As the official provider does, a creation takes over a bucket or sink that exists already, and a
bucket is locked by a request of its own, after all other changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.spec import Spec, Values

_SHARED_WRITER = "serviceAccount:cloud-logs@system.gserviceaccount.com"
_LASTING = ("_Default", "_Required")


class Bucket(Handler):
    """A log bucket, made by an operation."""

    def prepare(self, context: Context, inputs: Values) -> None:  # noqa: ARG002
        """The project may be given as `projects/ID`."""
        context.values["project"] = str(context.values["project"]).removeprefix("projects/")

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create the bucket, or update the one that exists, which may be in deletion.

        Officially what is empty counts as unchanged then: `locked: false` is not sent.
        """
        if (found := context.find(self.path(context))) is not None:
            given = {one for one in ("description", "locked", "retentionDays") if inputs.get(one)}
            self.update_remote(context, inputs, self.from_api(found), given)
            return
        collection = context.fill(self.spec.collection)
        params = {"bucketId": context.values["bucketId"]}
        context.call("POST", f"{collection}:createAsync", self.to_api(inputs), params)

    def update_remote(
        self, context: Context, inputs: Values, state: Values, changed: set[str]
    ) -> None:
        """A PATCH of what changed, and then one of the lock."""
        wanted = self.to_api(self._effective(inputs, state))
        for part in (changed - {"locked"}, changed & {"locked"}):
            if part:
                params = {"updateMask": ",".join(self._mask(part))}
                body = self._changed_part(wanted, part)
                context.call("PATCH", self.path(context), body, params)

    def delete_remote(self, context: Context, state: Values) -> None:  # noqa: ARG002
        """Delete the bucket; Google's own stay."""
        if context.values["bucketId"] not in _LASTING:
            context.call("DELETE", self.path(context))


class Sink(Handler):
    """A sink, whose kind of writer identity is a query parameter."""

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create the sink, or update the one that exists."""
        params, body = _writer(inputs), self.to_api(inputs)
        if context.find(self.path(context)) is None:
            context.call("POST", context.fill(self.spec.collection), body, params)
            return
        given = {"description", "destination", "filter"} & inputs.keys()
        mask = {"updateMask": ",".join(self._mask(given))}
        context.call("PATCH", self.path(context), body, params | mask)

    def update_remote(
        self, context: Context, inputs: Values, state: Values, changed: set[str]
    ) -> None:
        """One PATCH of what changed."""
        wanted = self.to_api(self._effective(inputs, state))
        mask = self._mask({one for one in changed if self.fields[one].api})
        params = _writer(inputs) | {"updateMask": ",".join(mask)}
        context.call("PATCH", self.path(context), wanted, params)

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs, with the kind of the writer identity."""
        is_unique = body.get("writerIdentity") != _SHARED_WRITER
        return super().from_api(body) | {"uniqueWriterIdentity": is_unique}

    def delete_remote(self, context: Context, state: Values) -> None:  # noqa: ARG002
        """Delete the sink; Google's own stay."""
        if context.values["name"] not in _LASTING:
            context.call("DELETE", self.path(context))


def _writer(inputs: Values) -> dict[str, str]:
    params = {"uniqueWriterIdentity": str(inputs.get("uniqueWriterIdentity", True)).lower()}
    own = inputs.get("customWriterIdentity")
    return params | ({"customWriterIdentity": own} if own else {})


HANDLERS: tuple[Handler, ...] = (
    Bucket(
        Spec(
            type="gcp:logging/projectBucketConfig:ProjectBucketConfig",
            schema="logging.v2.LogBucket",
            collection="projects/{project}/locations/{location}/buckets",
            name="bucketId",
            update="PATCH",
            update_mask=True,
            names={"enableAnalytics": "analyticsEnabled"},
            local={"bucketId": None},
            immutable=frozenset({"bucketId"}),
            defaults={"retentionDays": 30},
        )
    ),
    Sink(
        Spec(
            type="gcp:logging/projectSink:ProjectSink",
            schema="logging.v2.LogSink",
            collection="projects/{project}/sinks",
            update="PATCH",
            local={"uniqueWriterIdentity": True, "customWriterIdentity": None},
        )
    ),
    Handler(
        Spec(
            type="gcp:logging/projectExclusion:ProjectExclusion",
            schema="logging.v2.LogExclusion",
            collection="projects/{project}/exclusions",
            update="PATCH",
            update_mask=True,
        )
    ),
)
