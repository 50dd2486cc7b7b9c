"""The audit log: Envoy's access log, a line of JSON for each request."""

from infra.serving.callers.envoy.names import AUDIT, CALLER, METADATA, MODEL, TYPE, USAGE
from infra.serving.manifest import Manifest


def audit_log(ready_path: str) -> Manifest:
    """A line of JSON for each request to the standard output; no prompts and no answers."""
    return {
        "name": "envoy.access_loggers.stdout",
        "filter": {
            "header_filter": {
                "header": {
                    "name": ":path",
                    "string_match": {"exact": ready_path},
                    "invert_match": True,
                }
            }
        },
        "typed_config": {
            "@type": f"{TYPE}envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {
                "json_format": {
                    "audit": AUDIT,
                    "time": "%START_TIME%",
                    "caller": f"%REQ({CALLER.upper()})%",
                    "model": f"%DYNAMIC_METADATA({METADATA}:{MODEL})%",
                    "method": "%REQ(:METHOD)%",
                    "path": "%PATH(NQ)%",
                    "status": "%RESPONSE_CODE%",
                    "reason": "%RESPONSE_CODE_DETAILS%",
                    **{one: f"%DYNAMIC_METADATA({METADATA}:{one})%" for one in USAGE},
                    "milliseconds": "%DURATION%",
                    "request_id": "%REQ(X-REQUEST-ID)%",
                    "address": "%REQ(X-FORWARDED-FOR)%",
                }
            },
        },
    }
