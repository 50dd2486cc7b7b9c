"""NGINX's locations as Envoy's routes, and the listener of a controller."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sandbox.gcp.store import Json

FILTERS = "type.googleapis.com/envoy.extensions.filters"
_MANAGER = f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager"
_NOT_FOUND = {"status": 404, "body": {"inline_string": "404 Not Found\n"}}


@dataclass(frozen=True, slots=True)
class Location:
    """A location of NGINX's configuration."""

    text: str
    kind: str
    is_regex: bool
    route: Json


def anchored(text: str) -> str:
    """A location's expression, which matches at the beginning, as one of the whole path."""
    return f"{text if text.startswith('^') else '^' + text}.*$"


def routes(paths: list[Location]) -> list[Json]:
    """Routes in the order in which NGINX tries them.

    One expression of a host makes all of its paths expressions; the longest text comes first.
    """
    is_regex = any(one.is_regex for one in paths)
    found = []
    for one in sorted(paths, key=lambda p: (p.kind != "Exact", -len(p.text), p.text)):
        if is_regex and one.kind == "Exact":
            match: Json = {"safe_regex": {"regex": f"(?i)^{one.text}$"}}
        elif is_regex:
            match = {"safe_regex": {"regex": f"(?i){anchored(one.text)}"}}
        elif one.kind == "Exact":
            match = {"path": one.text}
        elif one.text == "/":
            match = {"prefix": "/"}
        elif one.kind == "Prefix":
            match = {"path_separated_prefix": one.text.rstrip("/")}
        else:
            match = {"prefix": one.text}
        found.append({"match": match, **one.route})
    return found


def table(name: str, hosts: dict[str, list[Location]]) -> Json:
    """The table of routes of a controller, from the locations of each host."""
    unmatched = {"match": {"prefix": ""}, "direct_response": _NOT_FOUND}
    virtual: list[Json] = [
        {
            "name": host,
            "domains": [host],
            # A path that no rule of a host takes is not tried with the rules of no host.
            "routes": [*routes(paths), unmatched],
        }
        for host, paths in sorted(hosts.items())
    ]
    if "*" not in hosts:
        virtual.append({"name": "*", "domains": ["*"], "routes": [unmatched]})
    return {"name": name, "virtual_hosts": virtual}


def redirected(location: Location) -> Location:
    """The location as a host with a certificate has it by HTTP: a redirect, by 308."""
    redirect = {"https_redirect": True, "response_code": "PERMANENT_REDIRECT"}
    return replace(location, route={"redirect": redirect})


def listener(name: str, port: int, source: Json) -> Json:
    """The listener of a port of a controller, which reads the table of its name."""
    manager: Json = {
        "@type": _MANAGER,
        "stat_prefix": "ingress",
        "use_remote_address": True,
        "generate_request_id": True,
        "server_header_transformation": "PASS_THROUGH",
        "normalize_path": True,
        "merge_slashes": True,
        "strip_any_host_port": True,
        "rds": {"route_config_name": name, "config_source": source},
        "http_filters": [
            {
                "name": "envoy.filters.http.buffer",
                "typed_config": {
                    "@type": f"{FILTERS}.http.buffer.v3.Buffer", "max_request_bytes": 1 << 20,
                },
            },
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": f"{FILTERS}.http.router.v3.Router", "suppress_envoy_headers": True,
                },
            },
        ],
    }  # fmt: skip
    return {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }
