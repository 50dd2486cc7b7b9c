"""The emulated Cloud DNS API: managed zones, record sets, and changes.

No name server serves the zones. The emulated certificates resolve names by `lookup`.
"""

from __future__ import annotations

from sandbox.gcp.service import Handler, Service
from sandbox.gcp.services.dns import changes, records, zones

_HANDLERS: dict[str, Handler] = {
    **zones.ZONES.handlers(),
    "dns.changes.create": changes.create,
    "dns.changes.get": changes.get,
    "dns.changes.list": changes.list_,
    "dns.resourceRecordSets.create": records.create,
    "dns.resourceRecordSets.get": records.get,
    "dns.resourceRecordSets.list": records.list_,
    "dns.resourceRecordSets.patch": records.patch,
    "dns.resourceRecordSets.delete": records.delete,
}

SERVICE = Service("dns", _HANDLERS)
