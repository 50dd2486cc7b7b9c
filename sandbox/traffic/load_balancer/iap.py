"""Identity-Aware Proxy: a backend with it answers nobody without an identity.

Another process decides: it is asked with the request's method, host, path and headers below
`/projects/…/backendServices/NAME`, so that it knows for whom. What it adds in `x-goog-*` headers
goes to the backend, and its refusal to the client. While it cannot be asked, all are refused.
"""

from __future__ import annotations

from sandbox.gcp.services.compute.place import Place
from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.endpoints import NOBODY
from sandbox.traffic.load_balancer.route_actions import TYPE
from sandbox.traffic.load_balancer.surroundings import Surroundings
from sandbox.traffic.load_balancer.unsupported import Document

FILTER = "envoy.filters.http.ext_authz"
CLUSTER = "identity-aware-proxy"
_AUTHZ = f"{TYPE}envoy.extensions.filters.http.ext_authz.v3"
_ASKED = ("cookie", "proxy-authorization", "user-agent", "x-forwarded-for", "x-forwarded-proto",
          "x-requested-with")  # fmt: skip
_PASSED = (
    "x-goog-authenticated-user-email",
    "x-goog-authenticated-user-id",
    "x-goog-iap-jwt-assertion",
)


def extra(_: Place, service: Document) -> Json:
    """The filter configuration of a backend service with IAP."""
    settings = service.one("iap")
    for name in ("oauth2ClientId", "oauth2ClientSecretSha256"):
        settings.value(name)
    if not settings.flag("enabled"):
        return {}
    check = {"http_service": _service(f"/{service.resource}")}
    return {FILTER: {"@type": f"{_AUTHZ}.ExtAuthzPerRoute", "check_settings": check}}


def settings() -> Json:
    """The filter, which asks only for routes that ask for it."""
    return {
        "name": FILTER,
        "disabled": True,
        "typed_config": {
            "@type": f"{_AUTHZ}.ExtAuthz",
            "http_service": _service(""),
            "allowed_headers": {"patterns": [{"exact": one} for one in _ASKED]},
            "failure_mode_allow": False,
        },
    }


def _service(prefix: str) -> Json:
    passed = {"patterns": [{"exact": one} for one in _PASSED]}
    return {
        "server_uri": {"uri": "http://127.0.0.1", "cluster": CLUSTER, "timeout": "5s"},
        "path_prefix": prefix,
        "authorization_response": {"allowed_upstream_headers": passed},
    }


def cluster(surroundings: Surroundings) -> Json:
    """The cluster of the process that decides; nobody's address where there is none."""
    address = {"address": "127.0.0.1", "port_value": surroundings.identity or NOBODY}
    endpoint = {"endpoint": {"address": {"socket_address": address}}}
    return {
        "name": CLUSTER,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": CLUSTER, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
