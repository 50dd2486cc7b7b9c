"""What other services ask of a key that they are to encrypt with."""

from __future__ import annotations

from sandbox.gcp import iam_store
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import State
from sandbox.gcp.services.cloudkms import versions
from sandbox.gcp.services.cloudkms.places import KEY, PREFIX, load

_ROLES = frozenset({"roles/cloudkms.cryptoKeyEncrypterDecrypter", "roles/owner"})
_PERMISSION = "cloudkms.cryptoKeyVersions.useToEncrypt"


class UnusableKeyError(ValueError):
    """Why a key cannot be used; the service that asked says it in an answer of its own."""


def check(state: State, name: str, *, agent: str, region: str) -> None:
    """Raise where the service agent `agent` could not encrypt with the key in `region`."""
    found = KEY.fullmatch(name)
    if found is None:
        raise UnusableKeyError(
            f'Invalid key name "{name}": it must have the form projects/PROJECT/locations/'
            "LOCATION/keyRings/RING/cryptoKeys/KEY."
        )
    if found["location"] != region:
        raise UnusableKeyError(
            f'Cloud KMS key "{name}" is in location "{found["location"]}"; it must be in the '
            f'location of what it encrypts, "{region}".'
        )
    # Google does not tell a key that is missing from one that may not be used.
    if f"{PREFIX}/{name}" not in state.store or not _is_granted(state, name, agent):
        raise UnusableKeyError(
            f"Permission '{_PERMISSION}' denied on resource '{name}' (or it may not exist). "
            f"Grant {agent} the role roles/cloudkms.cryptoKeyEncrypterDecrypter on the key."
        )
    primary = load(state, name).get("_primary")
    if primary is None:
        raise UnusableKeyError(f"{name} has no primary version.")
    try:
        versions.refuse_unless_enabled(load(state, primary))
    except ApiError as error:
        raise UnusableKeyError(error.message) from None


def _is_granted(state: State, name: str, agent: str) -> bool:
    parts = name.split("/")
    places = (
        f"{PREFIX}/{name}",
        f"{PREFIX}/{'/'.join(parts[:6])}",
        f"cloudresourcemanager/projects/{parts[1]}",
    )
    return any(
        f"serviceAccount:{agent}" in binding["members"]
        for place in places
        for binding in iam_store.get(state, place).get("bindings") or []
        if binding["role"] in _ROLES
    )
