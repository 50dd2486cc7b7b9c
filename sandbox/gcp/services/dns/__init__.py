"""The emulated Cloud DNS API: managed zones, their records, and changes of them.

No name server answers from it; the emulated certificates ask it instead (`lookup`).
"""

from __future__ import annotations

from sandbox.gcp.service import Handler, Service
from sandbox.gcp.services.dns import changes, records, zones

_HANDLERS: dict[str, Handler] = {
    "dns.managedZones.create": zones.create,
    "dns.managedZones.get": zones.get,
    "dns.managedZones.list": zones.list_,
    "dns.managedZones.patch": zones.patch,
    "dns.managedZones.update": zones.update,
    "dns.managedZones.delete": zones.delete,
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
