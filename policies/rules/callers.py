"""Rules about callers of models: their keys, and the log of what they asked.

Keys and tokens in general are the business of `credentials`.
"""

import json
from collections.abc import Iterator
from typing import Any

from policies.objects import WORKLOADS, labels_of
from policies.pods import deployment
from policies.rule import Reference, Stack, advisory, google, mandatory
from policies.rules.credentials import CONFIG_MAPS
from policies.subjects import Resource, gcp, resource_view
from policies.values import Props, block, number, text

LOG_BUCKETS = gcp("logging/projectBucketConfig:ProjectBucketConfig")
SINKS = gcp("logging/projectSink:ProjectSink")
_COMPONENT = "app.kubernetes.io/component"
_GATEWAY = "callers-gateway"
_BUCKET = "logging.googleapis.com/projects/"
_API_KEYS = Reference(
    "Envoy",
    "API key auth",
    "https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/api_key_auth_filter",
)
_STORAGE = google("Log buckets", "logging/docs/buckets")


def _envoy(*credentials: Props) -> Props:
    route = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
        "credentials": list(credentials),
    }
    return {"data": {"envoy.json": json.dumps({"http_filters": [{"typed_config": route}]})}}


def _credentials(value: Any) -> Iterator[str]:
    """Yield the callers whose keys stand in a configuration of Envoy."""
    if isinstance(value, list):
        for one in value:
            yield from _credentials(one)
    elif isinstance(value, dict):
        if ".api_key_auth." in str(value.get("@type", "")):
            given = value.get("credentials")
            for one in given if isinstance(given, list) else ():
                if isinstance(one, dict) and one.get("key"):
                    yield str(one.get("client", "a caller"))
        for one in value.values():
            yield from _credentials(one)


@mandatory(
    CONFIG_MAPS,
    layer="serving",
    severity="critical",
    why="Anyone who can read the ConfigMap, the Pulumi state or the audit log of the API server "
    "can call the models with the key.",
    fix="name the secret of each key in gke-serving:callers.allowed[].keys; the gateway's own "
    "program gives Envoy the keys",
    references=(_API_KEYS,),
    passing=_envoy(),
    failing=_envoy({"key": "0123456789abcdef", "client": "web"}),
)
def gateways_get_keys_from_secrets(config_map: Props) -> Iterator[str]:
    """A configuration of Envoy in a ConfigMap has no API keys of callers."""
    for name, content in block(config_map, "data").items():
        if not isinstance(content, str) or "api_key_auth" not in content:
            continue
        try:
            found = json.loads(content)
        except ValueError:
            continue  # YAML of Envoy; its keys are found by `config-maps-hold-no-secrets`
        for caller in _credentials(found):
            yield f"{name} has the API key of {caller}"


def _gateway(component: str = _GATEWAY) -> Resource:
    made = deployment(name="chat-callers")
    made["spec"]["template"]["metadata"]["labels"][_COMPONENT] = component
    return Resource("kubernetes:apps/v1:Deployment", made, "chat-callers")


def _sink(text: str = 'jsonPayload.audit="callers"') -> Resource:
    to = f"{_BUCKET}p/locations/europe-west4/buckets/callers"
    return Resource(SINKS.example, {"destination": to, "filter": text}, "callers")


def _keeps_audit_log(stack: Stack) -> bool:
    return any(
        "jsonPayload.audit" in text(sink.props, "filter")
        and text(sink.props, "destination").startswith(_BUCKET)
        for sink in stack.of(SINKS)
    )


@advisory(
    WORKLOADS.with_view(resource_view),
    layer="serving",
    severity="medium",
    why="Lines in _Default are kept for 30 days, beside all other logs, and whoever reads logs "
    "reads them.",
    fix="set gke-serving:callers.audit.retention_days",
    references=(_STORAGE,),
    passing=(_gateway(), _sink()),
    failing=(_gateway(),),
)
def audit_logs_of_callers_have_a_place(workload: Resource, stack: Stack) -> Iterator[str]:
    """The audit log of a gateway for callers is routed to a log bucket of its own."""
    if labels_of(workload).get(_COMPONENT) == _GATEWAY and not stack.cached(_keeps_audit_log):
        yield "no sink routes its audit log to a log bucket"


@mandatory(
    LOG_BUCKETS,
    layer="serving",
    severity="medium",
    why="Without a retention, a log bucket keeps lines for 30 days, whatever the log is for.",
    fix="set gke-serving:callers.audit.retention_days",
    references=(_STORAGE,),
    passing={"bucketId": "callers", "retentionDays": 400},
    failing={"bucketId": "callers"},
)
def log_buckets_state_their_retention(bucket: Props) -> Iterator[str]:
    """A log bucket states for how many days it keeps its lines."""
    if not number(bucket, "retentionDays"):
        yield "retentionDays is not set"
