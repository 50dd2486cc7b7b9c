"""The data sources of one resource by its name, with the official provider's outputs.

They have the resource's outputs, but a block that a resource has at most once is a list of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.failures import ApiFailure
from sandbox.plugins.gcp.registry import handler_of
from sandbox.plugins.gcp.spec import Values
from sandbox.plugins.provider import PluginError

Function = Callable[[Context, Values], Values]


def set_location(context: Context, args: Values, service: str, *places: str) -> None:
    """Take the arguments and the provider's places into the context."""
    context.service = service
    context.values.update({k: v for k, v in args.items() if isinstance(v, str)})
    context.place(dict.fromkeys(("project", *places)))


def found_at(context: Context, path: str) -> Values:
    """The resource at a path. `PluginError` where there is none."""
    try:
        return context.get(path)
    except ApiFailure as failure:
        if failure.code == 404:
            raise PluginError(f"{path} not found") from failure
        raise


def resource(context: Context, token: str, template: str) -> Values:
    """All outputs of the resource at a path. `PluginError` where there is none."""
    handler = handler_of(token)
    assert handler is not None  # noqa: S101  # a type of this plugin's own
    path = context.fill(template)
    body = found_at(context, path)
    return handler.outputs(context, {}, body, None)


def get_security_policy(context: Context, args: Values) -> Values:
    """A global Cloud Armor policy, by name or by its link."""
    set_location(context, args, "compute")
    context.from_link("name", args.get("selfLink"))
    context.subject = f"security policy {context.values.get('name')}"
    found = resource(
        context,
        "gcp:compute/securityPolicy:SecurityPolicy",
        "projects/{project}/global/securityPolicies/{name}",
    )
    blocks = ("adaptiveProtectionConfig", "advancedOptionsConfig", "recaptchaOptionsConfig")
    return _with_blocks({"description": "", **found}, blocks)


def get_region_security_policy(context: Context, args: Values) -> Values:
    """A regional Cloud Armor policy."""
    set_location(context, args, "compute", "region")
    context.subject = f"security policy {args.get('name')}"
    found = resource(
        context,
        "gcp:compute/regionSecurityPolicy:RegionSecurityPolicy",
        "projects/{project}/regions/{region}/securityPolicies/{name}",
    )
    return _with_blocks(
        {"description": "", "userDefinedFields": [], **found},
        ("advancedOptionsConfig", "ddosProtectionConfig"),
    )


def get_certificate_map(context: Context, args: Values) -> Values:
    """A certificate map of Certificate Manager."""
    set_location(context, args, "certificatemanager")
    context.subject = f"certificate map {args.get('name')}"
    found = resource(
        context,
        "gcp:certificatemanager/certificateMap:CertificateMap",
        "projects/{project}/locations/global/certificateMaps/{name}",
    )
    return {"description": "", **found}


def get_topic(context: Context, args: Values) -> Values:
    """A Pub/Sub topic."""
    set_location(context, args, "pubsub")
    context.subject = f"topic {args.get('name')}"
    found = resource(context, "gcp:pubsub/topic:Topic", "projects/{project}/topics/{name}")
    blocks = ("ingestionDataSourceSettings", "messageStoragePolicy", "schemaSettings")
    return _with_blocks({"kmsKeyName": "", "tags": {}, "messageTransforms": [], **found}, blocks)


def get_subscription(context: Context, args: Values) -> Values:
    """A Pub/Sub subscription."""
    set_location(context, args, "pubsub")
    context.subject = f"subscription {args.get('name')}"
    path = context.fill("projects/{project}/subscriptions/{name}")
    body = found_at(context, path)
    labels = body.get("labels") or {}
    blocks = (
        "bigqueryConfig", "cloudStorageConfig", "deadLetterPolicy", "expirationPolicy",
        "pushConfig", "retryPolicy",
    )  # fmt: skip
    flags = ("enableExactlyOnceDelivery", "enableMessageOrdering", "retainAckedMessages")
    found = {
        "id": path,
        "name": str(body["name"]).rpartition("/")[2],
        "project": context.values["project"],
        "topic": body["topic"],
        "ackDeadlineSeconds": body.get("ackDeadlineSeconds", 0),
        "messageRetentionDuration": body.get("messageRetentionDuration", ""),
        "filter": body.get("filter", ""),
        "labels": labels,
        "effectiveLabels": labels,
        "pulumiLabels": labels,
        "deletionPolicy": "",
        "messageTransforms": [],
        "tags": {},
        **{flag: body.get(flag, False) for flag in flags},
        **{block: body[block] for block in blocks if body.get(block)},
    }
    return _with_blocks(found, blocks)


def _with_blocks(found: Values, names: tuple[str, ...]) -> Values:
    """`found`, with these blocks as lists, empty where the resource has none."""
    rest = {key: _inside(value) for key, value in found.items() if key not in names}
    return {**rest, **{_plural(name): _one(found.get(name)) for name in names}}


def _one(block: Mapping[str, Any] | None) -> list[Values]:
    """A list of the block, and so the blocks in it; `attributes` is a mapping, and none."""
    if not block:
        return []
    found: Values = {}
    for key, value in block.items():
        is_block = isinstance(value, Mapping) and key != "attributes"
        found[_plural(key) if is_block else key] = _one(value) if is_block else _inside(value)
    return [found]


def _inside(value: Any) -> Any:
    """A list with the blocks in it as lists. A mapping, such as labels, stays."""
    if not isinstance(value, list):
        return value
    return [found for one in value for found in (_one(one) if isinstance(one, Mapping) else [one])]


def _plural(name: str) -> str:
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    if name.endswith("s"):
        return name
    return f"{name}es" if name.endswith("ch") else f"{name}s"


FUNCTIONS: dict[str, Function] = {
    "gcp:compute/getSecurityPolicy:getSecurityPolicy": get_security_policy,
    "gcp:compute/getRegionSecurityPolicy:getRegionSecurityPolicy": get_region_security_policy,
    "gcp:certificatemanager/getCertificateMap:getCertificateMap": get_certificate_map,
    "gcp:pubsub/getTopic:getTopic": get_topic,
    "gcp:pubsub/getSubscription:getSubscription": get_subscription,
}
