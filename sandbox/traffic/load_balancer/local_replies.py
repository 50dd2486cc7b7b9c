"""Answers of the load balancer itself: refusals, and what keeps it from a backend."""

from __future__ import annotations

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer import access_log
from sandbox.traffic.load_balancer.armor import refusals
from sandbox.traffic.load_balancer.armor.policies import Policies
from sandbox.traffic.load_balancer.firewalls import FIREWALL

_NOTE = f"xds.cluster_metadata.filter_metadata['{access_log.METADATA}']['{FIREWALL}'] != ''"
_NO_BACKEND = (
    "(response.code_details == 'no_healthy_upstream'"
    " || response.code_details.contains('connection_failure'))"
)


def replies(policies: Policies) -> Json:
    """The connection manager's own replies."""
    return {"local_reply_config": {"mappers": [*refusals.mappers(policies), _walled_off()]}}


def _walled_off() -> Json:
    """Google's own page says nothing of the firewall; the sandbox names the rule that lacks."""
    note = f"%METADATA(CLUSTER:{access_log.METADATA}:{FIREWALL})%"
    return {
        "filter": access_log.expression(f"{_NO_BACKEND} && {_NOTE}"),
        "body_format_override": {
            "text_format_source": {"inline_string": f"%LOCAL_REPLY_BODY%: {note}\n"},
        },
    }
