"""Cloud KMS: key rings, keys, and IAM members of keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.policy import IamMember, Policy
from sandbox.plugins.gcp.spec import Spec, Values
from sandbox.well_known_types import seconds, timestamp

RINGS = "projects/{project}/locations/{location}/keyRings"
KEY = "{keyRing}/cryptoKeys/{name}"
_USABLE = frozenset({"ENABLED", "DISABLED"})


class Named(Handler):
    """A resource whose id is a query parameter, and whose name is the last part of the API's."""

    parameter = ""

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create it, with the id as a query parameter."""
        params = {self.parameter: context.values["name"]}
        if inputs.get("skipInitialVersionCreation"):
            params["skipInitialVersionCreation"] = "true"
        body = {key: value for key, value in self.to_api(inputs).items() if key != "name"}
        context.call("POST", context.fill(self.spec.collection), body, params)

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs, with the last part of the name."""
        return super().from_api({**body, "name": str(body.get("name", "")).rpartition("/")[2]})


class KeyRing(Named):
    """A key ring; a destroy only removes it from the state, as Google has no deletion."""

    parameter = "keyRingId"

    def delete_remote(self, context: Context, state: Values) -> None:
        """Send no request."""


class CryptoKey(Named):
    """A key; a destroy destroys its versions and stops its rotation."""

    parameter = "cryptoKeyId"

    def to_api(self, inputs: Values) -> Values:
        """The API's object, with the time of the first rotation."""
        body = super().to_api(inputs)
        if inputs.get("rotationPeriod"):
            period = timedelta(seconds=seconds(str(inputs["rotationPeriod"])))
            at = datetime.now(UTC) + period
            body["nextRotationTime"] = timestamp(at)
        return body

    def update_remote(
        self, context: Context, inputs: Values, state: Values, changed: set[str]
    ) -> None:
        """One PATCH; a changed period moves the next rotation."""
        wanted = self.to_api(self._effective(inputs, state))
        fields = set(self._mask(changed))
        if "rotationPeriod" in fields:
            fields.add("nextRotationTime")
        body = {field: wanted.get(field) for field in sorted(fields)}
        params = {"updateMask": ",".join(sorted(fields))}
        context.call("PATCH", self.path(context), body, params)

    def delete_remote(self, context: Context, state: Values) -> None:
        """Stop the rotation and destroy all versions."""
        path = self.path(context)
        found = context.get(f"{path}/cryptoKeyVersions").get("cryptoKeyVersions", ())
        for version in found:
            if version.get("state") in _USABLE:
                context.call("POST", f"{version['name']}:destroy", {})
        if state.get("rotationPeriod"):
            off = {"rotationPeriod": None, "nextRotationTime": None}
            context.call("PATCH", path, off, {"updateMask": ",".join(off)})

    def _parsed(self, context: Context, id_: str) -> Values:  # noqa: ARG002  # see the base
        ring, _, name = id_.partition("/cryptoKeys/")
        return {"keyRing": ring, "name": name}


HANDLERS: tuple[Handler, ...] = (
    KeyRing(
        Spec(
            type="gcp:kms/keyRing:KeyRing",
            schema="cloudkms.v1.KeyRing",
            collection=RINGS,
        )
    ),
    CryptoKey(
        Spec(
            type="gcp:kms/cryptoKey:CryptoKey",
            schema="cloudkms.v1.CryptoKey",
            collection="{keyRing}/cryptoKeys",
            id=KEY,
            update="PATCH",
            update_mask=True,
            immutable=frozenset(
                {
                    "cryptoKeyBackend",
                    "destroyScheduledDuration",
                    "importOnly",
                    "keyRing",
                    "purpose",
                    "skipInitialVersionCreation",
                    "versionTemplate.protectionLevel",
                }
            ),
            names={"primaries": "primary"},
            local={"keyRing": None, "skipInitialVersionCreation": None},
            defaults={
                "purpose": "ENCRYPT_DECRYPT",
                "versionTemplate.protectionLevel": "SOFTWARE",
            },
            labels="labels",
        )
    ),
    IamMember(
        "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember",
        Policy(
            service="cloudkms",
            resource="{cryptoKeyId}",
            get=("GET", ":getIamPolicy"),
            version="options.requestedPolicyVersion",
        ),
    ),
)
