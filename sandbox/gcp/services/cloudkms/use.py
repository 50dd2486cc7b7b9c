"""Whether another service's agent may encrypt with a key."""

from __future__ import annotations

import re

from sandbox.gcp import iam_store
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import State
from sandbox.gcp.services.cloudkms import versions
from sandbox.gcp.services.cloudkms.keys import KEYS, RINGS, VERSIONS

_KEY = re.compile(
    r"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)"
    r"/keyRings/(?P<ring>[^/]+)/cryptoKeys/(?P<key>[^/]+)"
)
_ROLES = frozenset({"roles/cloudkms.cryptoKeyEncrypterDecrypter", "roles/owner"})
_PERMISSION = "cloudkms.cryptoKeyVersions.useToEncrypt"


class UnusableKeyError(ValueError):
    """Why a key cannot be used; the service that asked puts it into its own error."""


def check(state: State, name: str, *, agent: str, region: str, is_wider: bool = False) -> None:
    """Raise UnusableKeyError where the service agent `agent` cannot encrypt in `region`.

    `is_wider` also accepts multi-regional and global keys, as Compute Engine does.
    """
    found = _KEY.fullmatch(name)
    if found is None:
        raise UnusableKeyError(
            f'Invalid key name "{name}": it must have the form projects/PROJECT/locations/'
            "LOCATION/keyRings/RING/cryptoKeys/KEY."
        )
    if found["location"] != region and not (is_wider and "-" not in found["location"]):
        raise UnusableKeyError(
            f'Cloud KMS key "{name}" is in location "{found["location"]}"; it must be in the '
            f'location of what it encrypts, "{region}".'
        )
    # Google does not distinguish a missing key from a forbidden one.
    if KEYS.key(name) not in state.store or not _is_granted(state, name, agent):
        raise UnusableKeyError(
            f"Permission '{_PERMISSION}' denied on resource '{name}' (or it may not exist). "
            f"Grant {agent} the role roles/cloudkms.cryptoKeyEncrypterDecrypter on the key."
        )
    primary = KEYS.load(state, name).get("_primary")
    if primary is None:
        raise UnusableKeyError(f"{name} has no primary version.")
    try:
        versions.refuse_unless_enabled(VERSIONS.load(state, primary))
    except ApiError as error:
        raise UnusableKeyError(error.message) from None


def _is_granted(state: State, name: str, agent: str) -> bool:
    parts = name.split("/")
    resources = (
        KEYS.key(name),
        RINGS.key("/".join(parts[:6])),
        f"cloudresourcemanager/projects/{parts[1]}",
    )
    return any(
        f"serviceAccount:{agent}" in binding["members"]
        for resource in resources
        for binding in iam_store.get(state, resource).get("bindings") or []
        if binding["role"] in _ROLES
    )
