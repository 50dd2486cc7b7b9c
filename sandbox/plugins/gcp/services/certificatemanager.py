"""Certificate Manager: certificates, their maps, and DNS authorizations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.spec import Spec, Values

LOCATION = "projects/{project}/locations/{location}"
GLOBAL = "projects/{project}/locations/global"


class Placed(Handler):
    """A resource whose id is a query parameter; its location is global by default."""

    def place(self, context: Context, inputs: Mapping[str, Any], id_: str = "") -> None:
        """Set the path's values."""
        context.values.setdefault("location", "global")
        super().place(context, inputs, id_)

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create it, with the id as a query parameter."""
        kind = self.spec.type.rpartition(":")[2]
        params = {f"{kind[0].lower()}{kind[1:]}Id": context.values["name"]}
        path = context.fill(self.spec.collection)
        body = {key: value for key, value in self.to_api(inputs).items() if key != "name"}
        answer = context.client.request(context.service, "POST", path, body, params)
        context.started = True
        context.client.wait(context.service, answer, timeout=context.timeout)

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs, with the last part of the name."""
        return super().from_api({**body, "name": str(body.get("name", "")).rpartition("/")[2]})


class MapEntry(Placed):
    """An entry of a map, which is given by name or id."""

    def prepare(self, context: Context, inputs: Values) -> None:
        """The map may be given by its id."""
        name = context.values.get("name")
        if name:
            context.from_link("map", inputs.get("map"))
            context.values["name"] = name


HANDLERS: tuple[Handler, ...] = (
    Placed(
        Spec(
            type="gcp:certificatemanager/certificate:Certificate",
            schema="certificatemanager.v1.Certificate",
            collection=f"{LOCATION}/certificates",
            update="PATCH",
            update_mask=True,
            immutable=frozenset({"managed", "selfManaged", "scope"}),
            names={"managed.authorizationAttemptInfos": "authorizationAttemptInfo"},
            defaults={"scope": "DEFAULT"},
            computed=frozenset(
                {
                    "managed.state",
                    "managed.authorizationAttemptInfos",
                    "managed.provisioningIssues",
                }
            ),
            # The API returns neither the private key nor a certificate that was given.
            write_only=frozenset({"selfManaged"}),
            secrets=frozenset({"selfManaged"}),
            sets=frozenset({"managed.domains", "managed.dnsAuthorizations"}),
            labels="labels",
        )
    ),
    Placed(
        Spec(
            type="gcp:certificatemanager/certificateMap:CertificateMap",
            schema="certificatemanager.v1.CertificateMap",
            collection=f"{GLOBAL}/certificateMaps",
            update="PATCH",
            update_mask=True,
            labels="labels",
        )
    ),
    MapEntry(
        Spec(
            type="gcp:certificatemanager/certificateMapEntry:CertificateMapEntry",
            schema="certificatemanager.v1.CertificateMapEntry",
            collection=f"{GLOBAL}/certificateMaps/{{map}}/certificateMapEntries",
            update="PATCH",
            update_mask=True,
            immutable=frozenset({"map", "hostname", "matcher"}),
            local={"map": None},
            labels="labels",
        )
    ),
    Placed(
        Spec(
            type="gcp:certificatemanager/dnsAuthorization:DnsAuthorization",
            schema="certificatemanager.v1.DnsAuthorization",
            collection=f"{LOCATION}/dnsAuthorizations",
            update="PATCH",
            update_mask=True,
            immutable=frozenset({"domain", "type"}),
            labels="labels",
        )
    ),
)
