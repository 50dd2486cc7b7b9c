"""Every field of the API is carried out or listed; pure tests."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from facts.front_ends import FRONT_END_RANGES
from sandbox.gcp.discovery import document
from sandbox.traffic.dial_plan import DialPlan, Listener
from sandbox.traffic.load_balancer.configuration import Configuration, Contribution, configure
from sandbox.traffic.load_balancer.surroundings import KeyPair, Surroundings
from sandbox.traffic.load_balancer.unsupported import NO_EFFECT

PREFIX = "https://www.googleapis.com/compute/v1/projects/p/"
RULE = "compute/projects/p/global/forwardingRules/https"
ZONE = "zones/europe-west4-a"


_LISTENER = Listener(
    project="p",
    cluster="c",
    namespace="n",
    pod="pod",
    node="node",
    zone="europe-west4-a",
    address="10.64.1.7",
    port=80,
    listens=9000,
)


def link(path: str) -> str:
    return PREFIX + path


def base() -> dict[str, Any]:
    """A small load balancer of everything."""
    group = f"{ZONE}/networkEndpointGroups/g"
    backend = {"group": link(group), "balancingMode": "RATE", "maxRatePerEndpoint": 5}
    found: dict[str, Any] = {
        "global/forwardingRules/https": {"target": link("global/targetHttpsProxies/main")},
        "global/targetHttpsProxies/main": {
            "urlMap": link("global/urlMaps/main"),
            "sslCertificates": [link("global/sslCertificates/main")],
            "sslPolicy": link("global/sslPolicies/main"),
        },
        "global/sslPolicies/main": {"minTlsVersion": "TLS_1_2"},
        "global/urlMaps/main": {
            "hostRules": [{"hosts": ["a.example"], "pathMatcher": "m"}],
            "pathMatchers": [
                {
                    "name": "m",
                    "defaultService": link("global/backendBuckets/files"),
                    "routeRules": [
                        {
                            "priority": 1,
                            "matchRules": [{"prefixMatch": "/"}],
                            "service": link("global/backendServices/main"),
                        }
                    ],
                }
            ],
            "defaultService": link("global/backendServices/main"),
        },
        "global/backendServices/main": {
            "backends": [backend],
            "healthChecks": [link("global/healthChecks/main")],
            "securityPolicy": link("global/securityPolicies/main"),
        },
        "global/backendBuckets/files": {"bucketName": "files"},
        "global/healthChecks/main": {"type": "HTTP", "httpHealthCheck": {"port": 80}},
        "global/securityPolicies/main": {
            "rules": [
                {
                    "priority": 1,
                    "action": "deny(403)",
                    "match": {"expr": {"expression": "request.path.matches('x')"}},
                }
            ]
        },
        group: {"networkEndpointType": "GCE_VM_IP_PORT"},
        "global/firewalls/front-ends": {
            "network": link("global/networks/default"),
            "sourceRanges": list(FRONT_END_RANGES),
            "allowed": [{"IPProtocol": "tcp"}],
        },
    }
    compute = {f"compute/projects/p/{path}": body for path, body in found.items()}
    return compute | {
        f"compute-endpoints/projects/p/{group}/e": {"ipAddress": "10.64.1.7", "port": 8501},
        "storage/b/files": {"name": "files"},
        "policies/storage/b/files": {
            "policy": {
                "bindings": [{"role": "roles/storage.objectViewer", "members": ["allUsers"]}]
            }
        },
    }


def configured(documents: dict[str, Any], contributed: Contribution | None = None) -> Configuration:
    surroundings = Surroundings(
        folder=Path("/envoy"),
        frontends={RULE: 8443},
        dial_plan=DialPlan([_LISTENER]),
        certificate=lambda path: KeyPair(Path(f"/{path}.crt"), Path(f"/{path}.key")),
        storage=8080,
        access_log=Path("/envoy/access.log"),
    )
    return configure(documents, surroundings, contributed or Contribution())


def test_what_nobody_reads_is_listed() -> None:
    documents = base()
    documents["compute/projects/p/global/urlMaps/main"]["pathMatchers"][0]["novelty"] = {"a": [1]}
    (found,) = configured(documents).unsupported
    assert found.resource == "projects/p/global/urlMaps/main"
    assert found.field == "pathMatchers[0].novelty"


def test_a_plain_load_balancer_is_carried_out_whole() -> None:
    assert configured(base()).unsupported == []


def test_an_address_that_nobody_answers_at_is_listed() -> None:
    documents = base()
    passthrough = {"backendService": link("regions/europe-west4/backendServices/b")}
    key = "compute/projects/p/regions/europe-west4/forwardingRules/tcp"
    documents[key] = passthrough
    (found,) = configured(documents).unsupported
    assert (found.resource, found.field) == (key.removeprefix("compute/"), "target")
    other = Contribution(listeners=({"name": "tcp"},), rules=frozenset({key}))
    with_tcp = configured(documents, other)
    assert with_tcp.unsupported == []
    names = [one["name"] for one in with_tcp.files["lds.json"]["resources"]]
    assert names == ["projects/p/global/forwardingRules/https", "tcp"]


@pytest.mark.parametrize(
    ("match", "why"),
    [
        ({"regexMatch": "/(?=a)b"}, "RE2 has no '(?='"),
        ({"regexMatch": "/(a)\\1"}, "RE2 has no"),
        ({"prefixMatch": "/", "headerMatches": [{"headerName": "a", "regexMatch": "x++"}]}, "RE2"),
        ({"pathTemplateMatch": "/a*b"}, "'a*b'"),
        ({"pathTemplateMatch": "/{x=**}/b"}, "** stands only at the end"),
        ({"pathTemplateMatch": "/{x}/{x}"}, "stands twice"),
        ({"pathTemplateMatch": "/{a}/{b}/{c}/{d}/{e}/{f}"}, "five wildcards"),
    ],
)
def test_a_pattern_that_envoy_refuses_is_listed(match: Any, why: str) -> None:
    documents = base()
    url_map = documents["compute/projects/p/global/urlMaps/main"]
    url_map["pathMatchers"][0]["routeRules"][0]["matchRules"] = [match]
    (found,) = configured(documents).unsupported
    assert "matches nothing" in found.why
    assert why in found.why


SCHEMAS = {
    "global/urlMaps/main": "UrlMap",
    "global/backendServices/main": "BackendService",
    "global/backendBuckets/files": "BackendBucket",
    "global/healthChecks/main": "HealthCheck",
    "global/targetHttpsProxies/main": "TargetHttpsProxy",
    "global/sslPolicies/main": "SslPolicy",
    "global/securityPolicies/main": "SecurityPolicy",
    "global/forwardingRules/https": "ForwardingRule",
}
_DEPTH = 7
_WITHOUT_EFFECT_HERE = {
    # Order and shares: there is one of each.
    "UrlMap": {"pathMatchers.0.routeRules.0.priority"},
    "BackendService": {
        "backends.0.capacityScaler",
        "backends.0.maxRatePerEndpoint",
        # Without affinity, without IAP, without logs, without an instance group.
        "affinityCookieTtlSec",
        "consistentHash.minimumRingSize",
        "iap.oauth2ClientId",
        "iap.oauth2ClientSecretSha256",
        "logConfig.sampleRate",
        "network",
        "port",
        "portName",
    },
    # The sample is the default.
    "BackendBucket": {"compressionMode"},
    "TargetHttpsProxy": {"quicOverride"},
    # `enabledFeatures` follows from them.
    "SslPolicy": {"customFeatures.0", "profile"},
    # A type of match, and exclusions of a rule that evaluates no rule set.
    "SecurityPolicy": {
        "rules.0.match.versionedExpr",
        *(
            f"rules.0.preconfiguredWafConfig.exclusions.0.{name}"
            for name in (
                "requestBodiesToExclude.0",
                "requestCookiesToExclude.0",
                "requestHeadersToExclude.0",
                "requestUrisToExclude.0",
                "targetRuleIds.0",
                "targetRuleSet",
            )
        ),
    },
    # The frontend stands for the address.
    "ForwardingRule": {
        "allowGlobalAccess",
        "ipVersion",
        "network",
        "networkTier",
        "portRange",
        "ports.0",
        "subnetwork",
    },
}


def leaves(schema: Any, schemas: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Path and sample value of every field below a schema."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"]]
    if schema.get("type") == "object" and "properties" in schema and len(path) < _DEPTH:
        for name, inner in schema["properties"].items():
            yield from leaves(inner, schemas, (*path, name))
    elif schema.get("type") == "array":
        yield from leaves(schema["items"], schemas, (*path, 0))
    elif schema.get("type") == "object":
        yield path, {"sample": "sample"}
    else:
        yield path, sample(schema)


def sample(schema: Any) -> Any:
    if schema.get("type") == "boolean":
        return True
    if schema.get("type") in ("integer", "number") or schema.get("format") in ("int64", "uint64"):
        return 3
    return schema["enum"][-1] if schema.get("enum") else "sample"


def put(body: Any, path: tuple[Any, ...], value: Any) -> bool:
    """Set a field; false where it has that value already."""
    for index, key in enumerate(path[:-1]):
        empty: Any = [] if path[index + 1] == 0 else {}
        if isinstance(body, list):
            if not body:
                body.append(empty)
            body = body[0]
        else:
            body = body.setdefault(key, empty)
    last = path[-1]
    if isinstance(body, list):
        body[:] = [value]
        return True
    changed = body.get(last) != value
    body[last] = value
    return bool(changed)


@pytest.mark.parametrize("where", SCHEMAS)
def test_every_field_of_the_api_changes_the_configuration_or_is_listed(where: str) -> None:
    schemas = document("compute", "v1").schemas
    resource = f"compute/projects/p/{where}"
    before = configured(base())
    ignored = []
    for path, value in leaves(schemas[SCHEMAS[where]], schemas):
        if set(path) & NO_EFFECT:
            continue
        documents = deepcopy(base())
        if not put(documents[resource], path, value):
            continue
        after = configured(documents)
        if after == before:
            ignored.append(".".join(map(str, path)))
    assert set(ignored) == _WITHOUT_EFFECT_HERE.get(SCHEMAS[where], set())
