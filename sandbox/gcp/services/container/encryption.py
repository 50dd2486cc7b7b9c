"""Whether a cluster may encrypt its Secrets with the key that it is told to."""

from __future__ import annotations

from sandbox.gcp.service import State, project_number
from sandbox.gcp.services.cloudkms import use
from sandbox.gcp.services.container.checks import InvalidError
from sandbox.gcp.services.container.form import Json
from sandbox.gcp.services.container.places import Place

ENCRYPTING = frozenset({"ENCRYPTED", "ALL_OBJECTS_ENCRYPTION_ENABLED"})
_STATES = ENCRYPTING | {"DECRYPTED", "UNKNOWN", ""}


def agent(project: str) -> str:
    """The service agent by which Kubernetes Engine acts in a project."""
    return f"service-{project_number(project)}@container-engine-robot.iam.gserviceaccount.com"


def check(state: State, wanted: Json, where: Place) -> None:
    """Raise `InvalidError` where the key is missing, elsewhere, or not to be used by GKE."""
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
