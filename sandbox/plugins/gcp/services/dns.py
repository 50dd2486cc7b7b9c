"""Cloud DNS: managed zones and record sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.spec import Spec, Values

ZONES = "projects/{project}/managedZones"
ZONE = f"{ZONES}/{{managedZone}}"
_APEX = frozenset({"NS", "SOA"})


def _change(context: Context, zone: str, deletions: list[Values], additions: list[Values]) -> None:
    """Create a change of record sets; wait until it is done."""
    body = {"deletions": deletions, "additions": additions}
    change = context.call("POST", f"{zone}/changes", body)
    while change["status"] == "pending":
        context.client.sleep(0.1)
        change = context.get(f"{zone}/changes/{change['id']}")


class Zone(Handler):
    """A managed zone; with `forceDestroy` it is emptied before its deletion."""

    def to_api(self, inputs: Values) -> Values:
        """The API's object."""
        body = super().to_api(inputs)
        if inputs.get("reverseLookup"):
            body["reverseLookupConfig"] = {}
        return body

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs."""
        return {**super().from_api(body), "reverseLookup": "reverseLookupConfig" in body}

    def delete_remote(self, context: Context, state: Values) -> None:
        """Delete it; with `forceDestroy`, its record sets first."""
        zone = self.path(context)
        if state.get("forceDestroy"):
            records = context.get(f"{zone}/rrsets").get("rrsets", [])
            held = [r for r in records if r["type"] not in _APEX or r["name"] != state["dnsName"]]
            if held:
                _change(context, zone, held, [])
        super().delete_remote(context, state)


class RecordSet(Handler):
    """A record set, written by changes of its zone."""

    def _zone(self, context: Context) -> str:
        return context.fill(ZONE)

    def prepare(self, context: Context, inputs: Values) -> None:
        """The zone may be given by its id."""
        name = context.values.get("name")
        context.from_link("managedZone", inputs.get("managedZone"))
        if name:
            context.values["name"] = name

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Add it."""
        _change(context, self._zone(context), [], [self.to_api(inputs)])

    def read_remote(self, context: Context) -> Values | None:
        """The record set; None if it or the zone does not exist."""
        params = {"name": context.values["name"], "type": context.values["type"]}
        answer = context.find(f"{self._zone(context)}/rrsets", params)
        return next(iter((answer or {}).get("rrsets", ())), None)

    def update_remote(
        self,
        context: Context,
        inputs: Values,
        state: Values,  # noqa: ARG002  # see the base
        changed: set[str],  # noqa: ARG002  # see the base
    ) -> None:
        """Replace the current record set."""
        old = self.read_remote(context)
        _change(context, self._zone(context), [old] if old else [], [self.to_api(inputs)])

    def delete_remote(self, context: Context, state: Values) -> None:  # noqa: ARG002  # see the base
        """Delete the current record set."""
        old = self.read_remote(context)
        if old:
            _change(context, self._zone(context), [old], [])


HANDLERS: tuple[Handler, ...] = (
    Zone(
        Spec(
            type="gcp:dns/managedZone:ManagedZone",
            schema="dns.v1.ManagedZone",
            collection=ZONES,
            update="PATCH",
            immutable=frozenset({"dnsName", "visibility", "reverseLookup"}),
            names={"managedZoneId": "id"},
            local={"forceDestroy": False},
            special=frozenset({"reverseLookup"}),
            defaults={"description": "Managed by Pulumi", "visibility": "public"},
            computed=frozenset(
                {
                    "cloudLoggingConfig",
                    "dnssecConfig.kind",
                    "dnssecConfig.nonExistence",
                    "dnssecConfig.defaultKeySpecs",
                }
            ),
            labels="labels",
        )
    ),
    RecordSet(
        Spec(
            type="gcp:dns/recordSet:RecordSet",
            schema="dns.v1.ResourceRecordSet",
            collection=f"{ZONE}/rrsets",
            id=f"{ZONE}/rrsets/{{name}}/{{type}}",
            imports=("{project}/{managedZone}/{name}/{type}", "{managedZone}/{name}/{type}"),
            immutable=frozenset({"managedZone", "type"}),
            local={"managedZone": None},
            sets=frozenset({"rrdatas"}),
        )
    ),
)
