"""Validation of the Cloud KMS keys that encrypt a cluster's Secrets and its nodes' boot disks."""

from __future__ import annotations

from sandbox.gcp.service import State, project_number
from sandbox.gcp.services.cloudkms import use
from sandbox.gcp.services.container.checks import InvalidError
from sandbox.gcp.services.container.errors import bad_request
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.wire_format import Json

ENCRYPTING = frozenset({"ENCRYPTED", "ALL_OBJECTS_ENCRYPTION_ENABLED"})
_STATES = ENCRYPTING | {"DECRYPTED", "UNKNOWN", ""}


def agent(project: str) -> str:
    """Return the email of the Kubernetes Engine service agent of a project."""
    return f"service-{project_number(project)}@container-engine-robot.iam.gserviceaccount.com"


def check_boot_disk(state: State, config: Json, where: Place) -> None:
    """Refuse, with 400, the key of a node pool's boot disks that Compute Engine cannot use.

    Google's service agent for disks is Compute Engine's:
    cloud.google.com/kubernetes-engine/docs/how-to/using-cmek.
    """
    key = config.get("bootDiskKmsKey")
    if not key:
        return
    agent = f"service-{project_number(where.project)}@compute-system.iam.gserviceaccount.com"
    try:
        use.check(state, key, agent=agent, region=where.region, is_wider=True)
    except use.UnusableKeyError as error:
        raise bad_request(f"Cloud KMS error when using key {key}: {error}") from None


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
