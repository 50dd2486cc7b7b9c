"""IAM members: a read-modify-write of the resource's policy under its etag.

`Policy` describes where a resource's policy is. Within one plugin, writes to a policy are
serialized; after a conflict with another client, the policy is read again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.plugins.gcp.context import Context, slots
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.spec import Spec, Values
from sandbox.plugins.provider import PluginError

VERSION = 3
# An id, with the official provider's spaces or with slashes; roles contain slashes.
_ID = re.compile(
    r"(?P<resource>.+?)[ /](?P<role>(?:(?:projects|organizations)/[^/ ]+/)?roles/[^/ ]+)"
    r"[ /](?P<member>principal[^ ]+|[^ /[]+(?:\[[^]]*\])?)(?:[ /](?P<title>.+))?"
)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Where the policy of a resource is, and the prefix of its members' ids."""

    service: str
    resource: str  # path of the resource
    id: str = ""  # the id's prefix; default: the resource's path
    get: tuple[str, str] = ("POST", ":getIamPolicy")
    set: tuple[str, str] = ("POST", ":setIamPolicy")
    wraps: bool = True  # the request body has the policy under "policy"
    version: str = ""  # query parameter for the policy's version; default: it is in the body

    @property
    def id_template(self) -> str:
        """The template of the id's prefix."""
        return self.id or self.resource

    @property
    def fields(self) -> tuple[str, ...]:
        """The inputs that name the resource."""
        return slots(self.id_template)


class IamMember(Handler):
    """One member of one role (non-authoritative)."""

    def __init__(self, token: str, policy: Policy) -> None:
        local = dict.fromkeys((*policy.fields, "role", "member", "condition", "etag"))
        super().__init__(
            Spec(
                type=token,
                schema="cloudresourcemanager.v1.Binding",
                collection=policy.resource,
                id=f"{policy.id_template}/{{role}}/{{member}}",
                name="member",
                imports=(f"{policy.id_template} {{role}} {{member}}",),
                immutable=frozenset({"*", "role", "member", "condition", *policy.fields}),
                local=local,
            )
        )
        self.policy = policy

    def prepare(self, context: Context, inputs: Values) -> None:
        """The condition is part of a member's identity."""
        context.service = self.policy.service
        context.values["condition"] = inputs.get("condition")

    def id(self, context: Context) -> str:
        """Resource, role, member and, if any, the condition's title."""
        condition = context.values.get("condition")
        title = f"/{condition['title']}" if isinstance(condition, Mapping) else ""
        return f"{super().id(context)}{title}"

    def _parsed(self, context: Context, id_: str) -> Values:
        found = _ID.fullmatch(id_)
        if found is None:
            raise PluginError(
                f'the id {id_!r} does not have the form "{self.policy.id_template} role member"'
            )
        places = context.parse(found["resource"], self.policy.id_template)
        condition = {"condition": {"title": found["title"]}} if found["title"] else {}
        return {**places, "role": found["role"], "member": found["member"], **condition}

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Add the member to its role."""
        condition = inputs.get("condition")

        def add(bindings: list[Values]) -> list[Values]:
            for one in bindings:
                if self._is_ours(context, one):
                    if context.values["member"] not in one.setdefault("members", []):
                        one["members"].append(context.values["member"])
                    return bindings
            new: Values = {"role": context.values["role"], "members": [context.values["member"]]}
            if condition:
                new["condition"] = dict(condition)
            return [*bindings, new]

        self._change(context, add)

    def read_remote(self, context: Context) -> Values | None:
        """The member's binding; None if the policy does not have it."""
        try:
            policy = self._read(context)
        except PluginError as error:
            if getattr(error, "code", 0) == 404:
                return None
            raise
        for one in policy.get("bindings", ()):
            if self._is_ours(context, one) and self._has_member(context, one):
                context.values["etag"] = policy.get("etag", "")
                context.values["condition"] = one.get("condition")
                return {"role": one["role"], "etag": policy.get("etag", "")}
        return None

    def outputs(
        self, context: Context, inputs: Values, body: Mapping[str, Any], state: Values | None
    ) -> Values:
        """The etag is the policy's."""
        outputs = super().outputs(context, inputs, body, state)
        return {**outputs, "etag": body.get("etag", "")}

    def delete_remote(self, context: Context, state: Values) -> None:  # noqa: ARG002  # the place says all
        """Remove the member from its role."""

        def remove(bindings: list[Values]) -> list[Values]:
            for one in bindings:
                if self._is_ours(context, one):
                    one["members"] = [
                        m for m in one.get("members", ()) if not _same_member(m, context)
                    ]
            return [one for one in bindings if one.get("members")]

        self._change(context, remove)

    def _is_ours(self, context: Context, binding: Values) -> bool:
        wanted = context.values.get("condition") or None
        has = binding.get("condition") or None
        if wanted and has:
            # An import names the title alone.
            keys = ("title", "expression", "description") if "expression" in wanted else ("title",)
            equal = all((wanted.get(key) or "") == (has.get(key) or "") for key in keys)
        else:
            equal = wanted is has is None
        return equal and binding["role"] == context.values["role"]

    def _has_member(self, context: Context, binding: Values) -> bool:
        return any(_same_member(one, context) for one in binding.get("members", ()))

    def _path(self, context: Context) -> str:
        return context.fill(self.policy.resource)

    def _read(self, context: Context) -> Values:
        method, suffix = self.policy.get
        parameter = self.policy.version
        return context.client.request(
            self.policy.service,
            method,
            f"{self._path(context)}{suffix}",
            body=None if parameter else {"options": {"requestedPolicyVersion": VERSION}},
            params={parameter: VERSION} if parameter else None,
        )

    def _change(self, context: Context, change: Callable[[list[Values]], list[Values]]) -> None:
        def attempt() -> None:
            policy = self._read(context)
            policy["bindings"] = change(policy.get("bindings", []))
            if any(one.get("condition") for one in policy["bindings"]):
                policy["version"] = VERSION
            method, suffix = self.policy.set
            body = {"policy": policy} if self.policy.wraps else policy
            context.client.request(
                self.policy.service, method, f"{self._path(context)}{suffix}", body
            )

        context.exclusively(f"policy {self._path(context)}", attempt)


def _same_member(one: str, context: Context) -> bool:
    """Normalize as the API does: it lower-cases the address, not the member's kind."""
    wanted = str(context.values["member"])
    return one == wanted or (one.lower() == wanted.lower() and not one.startswith("principal"))
