"""Compute types with behaviour of their own."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.difference import Difference
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.spec import Values

GLOBAL = "projects/{project}/global"
REGION = "projects/{project}/regions/{region}"
ZONE = "projects/{project}/zones/{zone}"
_LAST_RULE = 2147483647  # of a security policy, which always has one


class Network(Handler):
    """A network; deletes its default routes if the program asks for it."""

    def after_create(self, context: Context, inputs: Values, path: str) -> None:
        """Delete the new network's routes to the internet."""
        if not inputs.get("deleteDefaultRoutesOnCreate"):
            return
        routes = context.get(context.fill(f"{GLOBAL}/routes")).get("items", ())
        for route in routes:
            if route.get("destRange") == "0.0.0.0/0" and route["network"].endswith(f"/{path}"):
                context.call("DELETE", context.fill(f"{GLOBAL}/routes/{route['name']}"))


_OF_PROXIES = frozenset({"REGIONAL_MANAGED_PROXY", "GLOBAL_MANAGED_PROXY"})
"""Purposes of subnetworks that take no `logConfig`."""


class Subnetwork(Handler):
    """A subnetwork: a smaller range replaces it; a larger one is expanded in place."""

    def replaces(self, path: str, old: Any, new: Any) -> bool:
        """Whether the change of one field replaces the resource."""
        if path == "ipCidrRange" and isinstance(old, str) and isinstance(new, str):
            return not _contains(new, old)
        return super().replaces(path, old, new)

    def to_api(self, inputs: Values) -> Values:
        """The API's object: the presence of `logConfig` turns flow logs on, else they are off."""
        body = super().to_api(inputs)
        if "logConfig" in body:
            body["logConfig"] = {**body["logConfig"], "enable": True}
        elif inputs.get("purpose") not in _OF_PROXIES:
            body["logConfig"] = {"enable": False}
        return body

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs, without `logConfig` if flow logs are off."""
        log = body.get("logConfig") or {}
        return super().from_api({**body, "logConfig": log if log.get("enable") else None})


def _contains(wide: str, narrow: str) -> bool:
    try:
        outer, inner = ipaddress.ip_network(wide), ipaddress.ip_network(narrow)
    except ValueError:
        return False
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # the versions are equal


class Firewall(Handler):
    """A firewall rule: the presence of `logConfig` turns logging on."""

    def to_api(self, inputs: Values) -> Values:
        """The API's object."""
        body = super().to_api(inputs)
        body["logConfig"] = {**body.get("logConfig", {}), "enable": bool(inputs.get("logConfig"))}
        return body

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs, without `logConfig` if logging is off."""
        log = body.get("logConfig") or {}
        return super().from_api({**body, "logConfig": log if log.get("enable") else None})


class HealthCheck(Handler):
    """A health check; its `type` follows from the block that is given."""

    KINDS = ("http", "https", "http2", "tcp", "ssl", "grpc", "grpcTls")

    def to_api(self, inputs: Values) -> Values:
        """The API's object, with the type."""
        body = super().to_api(inputs)
        given = next((kind for kind in self.KINDS if f"{kind}HealthCheck" in inputs), None)
        if given:
            body["type"] = "GRPC_WITH_TLS" if given == "grpcTls" else given.upper()
        return body


class BackendService(Handler):
    """A backend service; `iap` is turned off explicitly, because the API keeps an omitted one."""

    def to_api(self, inputs: Values) -> Values:
        """The API's object."""
        body = super().to_api(inputs)
        body.setdefault("iap", {"enabled": False, "oauth2ClientId": "", "oauth2ClientSecret": ""})
        return body


class NamedPort(Handler):
    """A named port of an instance group, whose list is written under its fingerprint."""

    def _group(self, context: Context) -> tuple[str, Values]:
        path = context.fill(f"{ZONE}/instanceGroups/{{group}}")
        return path, context.get(path)

    def prepare(self, context: Context, inputs: Values) -> None:
        """The group may be given by its link, which contains its location."""
        context.from_link("group", inputs.get("group"))

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Add the port to the group's list."""
        port = {"name": inputs["name"], "port": int(inputs["port"])}
        self._write(context, lambda ports: [*(p for p in ports if p != port), port])

    def read_remote(self, context: Context) -> Values | None:
        """The entry; None if the group does not have it, or is gone."""
        path = context.fill(f"{ZONE}/instanceGroups/{{group}}")
        group = context.find(path)
        if group is None:
            return None
        for port in group.get("namedPorts", ()):
            if port["name"] == context.values["name"] and str(port["port"]) == str(
                context.values["port"]
            ):
                return {**port, "group": context.link(path), "zone": context.values["zone"]}
        return None

    def delete_remote(self, context: Context, state: Values) -> None:  # noqa: ARG002  # see the base
        """Remove the port from the list; a group that is gone has none."""
        name = context.values["name"]
        if context.find(context.fill(f"{ZONE}/instanceGroups/{{group}}")) is None:
            return
        self._write(context, lambda ports: [p for p in ports if p["name"] != name])

    def _write(self, context: Context, change: Any) -> None:
        def attempt() -> None:
            path, group = self._group(context)
            body = {
                "namedPorts": change(group.get("namedPorts", [])),
                "fingerprint": group.get("fingerprint", ""),
            }
            context.call("POST", f"{path}/setNamedPorts", body)

        context.exclusively(self._lock(context), attempt)

    def _lock(self, context: Context) -> str:
        return context.fill(f"{ZONE}/instanceGroups/{{group}}")


class Labelled(Handler):
    """A resource whose labels are set after its creation, by the method that changes them."""

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create the resource, then set its labels."""
        super().create_remote(context, inputs)
        wanted = self.to_api(inputs)
        if not wanted.get("labels"):
            return
        state = self._current(context, {})
        for call in self.spec.calls:
            if "labels" in call.fields:
                context.call(call.method, self._call_path(context, call), call.body(wanted, state))


class ForwardingRule(Labelled):
    """A forwarding rule; the API returns an IP address for the name of an address resource."""

    def diff(self, context: Context, old: Values, state: Values, new: Values) -> list[Difference]:
        """The changes; an IP address and its resource's name count as equal."""
        return [
            one
            for one in super().diff(context, old, state, new)
            if one.path != "ipAddress" or _is_address(one.new) or not _is_address(one.old)
        ]


def _is_address(value: Any) -> bool:
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return False
    return True


_EXCLUSIONS = "preconfiguredWafConfig"


class SecurityPolicy(Handler):
    """A security policy; its rules, identified by priority, change one by one.

    Google's provider asks that removed exclusions be cleared since its version of May 2026
    (hashicorp/terraform-provider-google#27177).
    """

    def update_remote(
        self, context: Context, inputs: Values, state: Values, changed: set[str]
    ) -> None:
        """Rules by their own methods, then the rest."""
        if "rules" in changed:
            self._change_rules(context, inputs)
        super().update_remote(context, inputs, state, changed - {"rules"})

    def _change_rules(self, context: Context, inputs: Values) -> None:
        path = self.path(context)
        old = {int(rule["priority"]): rule for rule in context.get(path).get("rules", ())}
        new = {int(rule["priority"]): rule for rule in self.to_api(inputs).get("rules", ())}
        for priority, rule in sorted(new.items()):
            if priority not in old:
                context.call("POST", f"{path}/addRule", rule)
                continue
            changed = {key for key, value in rule.items() if old[priority].get(key) != value}
            # A patch leaves what it does not give, unless the mask names it.
            mask = {}
            if rule.get(_EXCLUSIONS) != old[priority].get(_EXCLUSIONS):
                mask = {"updateMask": ",".join(sorted(changed | {_EXCLUSIONS}))}
            if changed or mask:
                query = {"priority": str(priority), **mask}
                context.call("POST", f"{path}/patchRule", rule, query)
        for priority in old.keys() - new.keys() - {_LAST_RULE}:
            context.call("POST", f"{path}/removeRule", {}, {"priority": str(priority)})


class RouterNat(Handler):
    """A NAT gateway: an entry of its router's `nats`, which is written as a whole."""

    def _router(self, context: Context) -> tuple[str, Values]:
        path = context.fill(f"{REGION}/routers/{{router}}")
        return path, context.get(path)

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Add the NAT to the router. Raises PluginError if the name is taken."""
        wanted = self.to_api(inputs)

        def add(nats: list[Values]) -> list[Values]:
            if any(nat["name"] == wanted["name"] for nat in nats):
                context.fail(f"the router has a NAT named {wanted['name']} already; import it")
            return [*nats, wanted]

        self._write(context, add)

    def read_remote(self, context: Context) -> Values | None:
        """The entry; None if the router does not have it, or is gone."""
        router = context.find(context.fill(f"{REGION}/routers/{{router}}")) or {}
        name = context.values["name"]
        return next((nat for nat in router.get("nats", ()) if nat["name"] == name), None)

    def update_remote(
        self,
        context: Context,
        inputs: Values,
        state: Values,  # noqa: ARG002  # see the base
        changed: set[str],  # noqa: ARG002  # see the base
    ) -> None:
        """Replace the entry."""
        wanted = self.to_api(inputs)
        self._write(
            context,
            lambda nats: [wanted if nat["name"] == wanted["name"] else nat for nat in nats],
        )

    def delete_remote(self, context: Context, state: Values) -> None:  # noqa: ARG002  # see the base
        """Remove the entry; a router that is gone has none."""
        name = context.values["name"]
        if self.read_remote(context) is not None:
            self._write(context, lambda nats: [nat for nat in nats if nat["name"] != name])

    def _write(self, context: Context, change: Any) -> None:
        def attempt() -> None:
            path, router = self._router(context)
            context.call("PATCH", path, {"nats": change(router.get("nats", []))})

        context.exclusively(context.fill(f"{REGION}/routers/{{router}}"), attempt)
