"""Validation of the Cloud KMS key for a cluster's Secrets encryption."""

from __future__ import annotations

from sandbox.gcp.service import State, project_number
from sandbox.gcp.services.cloudkms import use
from sandbox.gcp.services.container.checks import InvalidError
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.wire_format import Json

ENCRYPTING = frozenset({"ENCRYPTED", "ALL_OBJECTS_ENCRYPTION_ENABLED"})
_STATES = ENCRYPTING | {"DECRYPTED", "UNKNOWN", ""}


def agent(project: str) -> str:
    """Return the email of the Kubernetes Engine service agent of a project."""
    return f"service-{project_number(project)}@container-engine-robot.iam.gserviceaccount.com"


def check(state: State, wanted: Json, where: Place) -> None:
    """Raise `InvalidError` if the key is missing, in another region, or not usable by GKE."""
    kind, key = wanted.get("state") or "", wanted.get("keyName") or ""
    if kind not in _STATES:
        raise InvalidError(f'Invalid database_encryption.state "{kind}".')
    if kind not in ENCRYPTING:
        if key:
            raise InvalidError("database_encryption.key_name may only be set with state ENCRYPTED.")
        return
    if not key:
        raise InvalidError("database_encryption.key_name must be set with state ENCRYPTED.")
    try:
        use.check(state, key, agent=agent(where.project), region=where.region)
    except use.UnusableKeyError as error:
        raise InvalidError(f"cluster.database_encryption: {error}") from None
