"""Cloud Storage: buckets, objects, and IAM members of buckets."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.policy import IamMember, Policy
from sandbox.plugins.gcp.spec import Spec, Values
from sandbox.plugins.provider import PluginError

_CONDITIONS = {"withState": "isLive", "sendAgeIfZero": "", "sendNumNewerVersionsIfZero": ""}
_STATES = {"LIVE": True, "ARCHIVED": False, "ANY": None}


class Bucket(Handler):
    """A bucket; with objects it is destroyed only with `forceDestroy`."""

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create it in the project."""
        project = context.fill("{project}")
        context.call("POST", "b", self.to_api(inputs), {"project": project})

    def path(self, context: Context) -> str:
        """The path: a bucket is identified by its name."""
        return context.fill("b/{name}")

    def to_api(self, inputs: Values) -> Values:
        """The API's object; lifecycle rules and access settings have other paths there."""
        body = super().to_api(inputs)
        if "location" in body:
            body["location"] = str(body["location"]).upper()
        if inputs.get("lifecycleRules") is not None:
            body["lifecycle"] = {"rule": [_rule_to_api(one) for one in inputs["lifecycleRules"]]}
        return body

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs."""
        outputs = super().from_api(body)
        rules = (body.get("lifecycle") or {}).get("rule")
        outputs["lifecycleRules"] = [_rule_from_api(one) for one in rules or ()]
        outputs["url"] = f"gs://{body.get('name', '')}"
        return outputs

    def update_remote(
        self,
        context: Context,
        inputs: Values,
        state: Values,
        changed: set[str],  # see the base
    ) -> None:
        """One PATCH, with null for removed labels."""
        body = self._changed_part(self._linked(context, self.to_api(inputs)), changed)
        if "lifecycleRules" in changed:
            wanted = self.to_api({"lifecycleRules": inputs.get("lifecycleRules") or []})
            body["lifecycle"] = wanted["lifecycle"]
        if "labels" in changed:
            labels = inputs.get("labels") or {}
            gone = {key: None for key in state.get("effectiveLabels") or {} if key not in labels}
            body["labels"] = {**gone, **labels}
        context.call("PATCH", self.path(context), body)

    def delete_remote(self, context: Context, state: Values) -> None:
        """Delete it; with `forceDestroy`, its objects first."""
        name = context.values["name"]
        objects = context.get(f"b/{name}/o", {"versions": "true"}).get("items", [])
        if objects and not state.get("forceDestroy"):
            raise PluginError(
                f"the bucket {name} holds objects; set forceDestroy to true, "
                "run `pulumi up`, then destroy"
            )
        for one in objects:
            path = f"b/{name}/o/{quote(one['name'], safe='')}"
            params = {"generation": one["generation"]} if one.get("generation") else None
            context.call("DELETE", path, params=params)
        super().delete_remote(context, state)


def _rule_to_api(rule: Values) -> Values:
    condition: Values = {}
    given = rule.get("condition") or {}
    for name, value in given.items():
        if name == "withState":
            if _STATES.get(value) is not None:
                condition["isLive"] = _STATES[value]
        elif name not in _CONDITIONS and value not in (None, "", []):
            numeric = isinstance(value, float)
            condition[name] = int(value) if numeric else value
    return {"action": dict(rule.get("action") or {}), "condition": condition}


def _rule_from_api(rule: Mapping[str, Any]) -> Values:
    condition = dict(rule.get("condition") or {})
    live = condition.pop("isLive", None)
    if live is not None:
        condition["withState"] = "LIVE" if live else "ARCHIVED"
    return {"action": dict(rule.get("action") or {}), "condition": condition}


class BucketObject(Handler):
    """An object, from a text or a file; changed content is uploaded again."""

    def path(self, context: Context) -> str:
        """The path, with the slashes of the object's name encoded."""
        name = quote(str(context.values["name"]), safe="")
        return context.fill(f"b/{{bucket}}/o/{name}")

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Upload metadata and content in one request."""
        metadata = {**self.to_api(inputs), "name": inputs["name"]}
        content = _content(inputs)
        kind = inputs.get("contentType") or "text/plain; charset=utf-8"
        metadata["contentType"] = kind
        boundary = hashlib.sha256(content).hexdigest()[:32]
        parts = (
            f"--{boundary}\r\nContent-Type: application/json\r\n\r\n{json.dumps(metadata)}\r\n"
            f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n"
        )
        body = parts.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        base = context.config.endpoint("storage").rstrip("/")
        root = base.removesuffix("/storage/v1")
        bucket = context.values["bucket"]
        context.client.request(
            "storage",
            "POST",
            f"{root}/upload/storage/v1/b/{bucket}/o",
            params={"uploadType": "multipart", "name": inputs["name"]},
            content=(f"multipart/related; boundary={boundary}", body),
        )
        context.started = True

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs, with both forms of the checksum."""
        outputs = super().from_api(body)
        digest = body.get("md5Hash")
        if digest:
            outputs["md5hexhash"] = base64.b64decode(digest).hex()
            outputs["detectMd5hash"] = digest
        return {**outputs, "outputName": body.get("name", "")}

    def update_remote(
        self,
        context: Context,
        inputs: Values,
        state: Values,  # noqa: ARG002  # see the base
        changed: set[str],  # see the base
    ) -> None:
        """Content is uploaded again; the rest is a PATCH."""
        if changed & {"content", "source"}:
            self.create_remote(context, inputs)
        else:
            body = self._changed_part(self.to_api(inputs), changed)
            context.call("PATCH", self.path(context), body)


def _content(inputs: Values) -> bytes:
    if inputs.get("content") is not None:
        return str(inputs["content"]).encode()
    source = inputs.get("source")
    if isinstance(source, Mapping):  # an asset in wire format
        if source.get("text") is not None:
            return str(source["text"]).encode()
        source = source.get("path")
    if not source:
        raise PluginError("one of content, source must be given")
    try:
        return Path(str(source)).read_bytes()
    except OSError as error:
        raise PluginError(f"cannot read {source}: {error.strerror}") from error


HANDLERS: tuple[Handler, ...] = (
    Bucket(
        Spec(
            type="gcp:storage/bucket:Bucket",
            schema="storage.v1.Bucket",
            collection="b",
            id="{name}",
            update="PATCH",
            imports=("{project}/{name}",),
            immutable=frozenset(
                {
                    "location",
                    "customPlacementConfig",
                    "enableObjectRetention",
                    "hierarchicalNamespace",
                }
            ),
            names={
                "uniformBucketLevelAccess": "iamConfiguration.uniformBucketLevelAccess.enabled",
                "publicAccessPrevention": "iamConfiguration.publicAccessPrevention",
                "requesterPays": "billing.requesterPays",
                "cors.methods": "method",
                "cors.origins": "origin",
                "cors.responseHeaders": "responseHeader",
            },
            special=frozenset({"lifecycleRules"}),
            local={"forceDestroy": False, "url": None, "enableObjectRetention": None},
            defaults={"storageClass": "STANDARD"},
            labels="labels",
            computed=frozenset({"autoclass.terminalStorageClass"}),
        )
    ),
    BucketObject(
        Spec(
            type="gcp:storage/bucketObject:BucketObject",
            schema="storage.v1.Object",
            collection="b/{bucket}/o",
            id="{bucket}-{name}",
            update="PATCH",
            imports=("{bucket}/{name}",),
            immutable=frozenset(
                {
                    "bucket",
                    "name",
                    "kmsKeyName",
                    "customerEncryption",
                    "cacheControl",
                    "contentDisposition",
                    "contentEncoding",
                    "contentLanguage",
                    "contentType",
                    "storageClass",
                }
            ),
            special=frozenset({"content", "source"}),
            local={
                "detectMd5hash": None,
                "sourceMd5hash": None,
                "forceEmptyContentType": None,
                "deletionPolicy": None,
            },
            secrets=frozenset({"content"}),
        )
    ),
    IamMember(
        "gcp:storage/bucketIAMMember:BucketIAMMember",
        Policy(
            service="storage",
            resource="b/{bucket}",
            get=("GET", "/iam"),
            set=("PUT", "/iam"),
            wraps=False,
            version="optionsRequestedPolicyVersion",
        ),
    ),
)
