"""The emulated Certificate Manager API: certificates, certificate maps and DNS authorizations.

Nothing is signed. A managed certificate becomes ACTIVE once Google could issue it: when the
emulated Cloud DNS holds the records that prove its domains.
"""

from __future__ import annotations

from sandbox.gcp.service import Service
from sandbox.gcp.services.certificatemanager.certificates import AUTHORIZATIONS, CERTIFICATES
from sandbox.gcp.services.certificatemanager.maps import ENTRIES, MAPS
from sandbox.gcp.services.certificatemanager.shared import OPERATIONS

SERVICE = Service(
    "certificatemanager",
    OPERATIONS.handlers("projects.locations")
    | CERTIFICATES.handlers()
    | MAPS.handlers()
    | ENTRIES.handlers()
    | AUTHORIZATIONS.handlers(),
)
