"""The emulated Cloud KMS API: key rings, keys, key versions and their IAM policies.

There is no key material and nothing is encrypted. Other services ask whether a key exists, is
enabled, is in the right location and is granted to their agent (`use`). Key rings and keys cannot
be deleted: Google's newer methods for that are not emulated.
"""

from __future__ import annotations

from sandbox.gcp.service import Service
from sandbox.gcp.services.cloudkms.keys import KEYS, RINGS, VERSIONS

SERVICE = Service("cloudkms", RINGS.handlers() | KEYS.handlers() | VERSIONS.handlers())
