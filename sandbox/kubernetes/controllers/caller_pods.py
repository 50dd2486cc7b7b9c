"""Pods of callers' gateways and of the rate limit service: what runs for them, and with what.

A gateway is a pod with Envoy that reads its configuration from a ConfigMap; images decide, never
labels.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sandbox.kubernetes.controllers import pod_environment, pod_mounts
from sandbox.kubernetes.controllers.endpoint_groups import ready_endpoints
from sandbox.traffic.model_servers.passed_on import ENVOY, socket_name

Json = dict[str, Any]
PREFIXES = ("callers-", "limits-")
"""How the names of their processes begin."""
BOOTSTRAP = "envoy.json"
_LIMITS = re.compile(r"(^|/)envoyproxy/ratelimit[:@]")
_SERVICE = re.compile(r"^([^.]+)\.([^.]+)\.svc(\.cluster\.local)?$")
DESTINATION = "x-gateway-destination-endpoint"
"""Key of the metadata in which an endpoint picker names the address and port of a pod."""
_CHOSEN = "envoy.load_balancing_policies.override_host"
_TYPE = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


def _container(pod: Json, image: re.Pattern[str]) -> Json | None:
    return next((c for c in pod["spec"]["containers"] if image.search(c["image"])), None)


def is_gateway(pod: Json) -> bool:
    """Whether Envoy runs in the pod."""
    return _container(pod, ENVOY) is not None


def running(pods: Iterable[Json]) -> dict[str, Json]:
    """The pods that something runs for, by the name of its process."""
    found = {}
    for pod in pods:
        metadata, status = pod["metadata"], pod.get("status") or {}
        if status.get("phase") != "Running" or not status.get("podIP"):
            continue
        name = f"{metadata['namespace']}-{metadata['name']}"
        if is_gateway(pod) and any(pod_mounts.mounts(pod)):
            found[f"callers-{name}"] = pod
        elif _container(pod, _LIMITS) is not None:
            found[f"limits-{name}"] = pod
    return found


def grace_seconds(pod: Json) -> float:
    """How long its program goes on when the pod is deleted."""
    return float(pod["spec"].get("terminationGracePeriodSeconds", 30))


def address(pod: Json) -> str:
    """The pod's address."""
    return str(pod["status"]["podIP"])


def keys_command(pod: Json, folder: Path) -> list[str]:
    """The words of the program that gives Envoy the keys, with paths below `folder`."""
    keys = next(c for c in pod["spec"]["initContainers"] if c["name"] == "keys")
    found = [*keys["command"][1:], *keys["args"]]
    (folder / "run/routes").mkdir(parents=True, exist_ok=True)
    return [re.sub(r"(^|=)/", rf"\g<1>{folder}/", word) for word in found]


def envoy_arguments(pod: Json, folder: Path) -> list[str]:
    """Envoy's arguments, with the translated configuration."""
    container = _container(pod, ENVOY) or {}
    words = list(container.get("args") or [])
    words[words.index("--config-path") + 1] = str(folder / BOOTSTRAP)
    return [*words, "--concurrency", "1"]


def bootstrap(pod: Json, folder: Path) -> Json | None:
    """Envoy's configuration as the pod has it; None while it is missing."""
    words = (_container(pod, ENVOY) or {}).get("args") or []
    if "--config-path" not in words:
        return None
    file = folder / words[words.index("--config-path") + 1].lstrip("/")
    if not file.is_file():
        return None
    found: Json = json.loads(file.read_text())
    return found


def translated(
    given: Json, pod: Json, folder: Path
) -> tuple[Json, dict[str, tuple[tuple[str, str], int]]]:
    """The configuration as it works here, and Service and port of each cluster with a DNS name."""
    found = copy.deepcopy(given)
    found.pop("admin", None)
    for listener in found["static_resources"]["listeners"]:
        port = listener["address"]["socket_address"]["port_value"]
        name = socket_name(pod["metadata"]["uid"], port)
        listener["address"] = {"pipe": {"path": f"@{name}"}}
        for source in _sources(listener):
            source["path"] = str(folder / source["path"].lstrip("/"))
    services = {}
    for cluster in found["static_resources"]["clusters"]:
        where = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        target = where["address"]["socket_address"]
        if match := _SERVICE.match(target["address"]):
            services[cluster["name"]] = (match[2], match[1]), int(target["port_value"])
            del cluster["load_assignment"]
            policy = cluster.pop("load_balancing_policy", None)
            file = {"path": str(folder / endpoints_file(cluster["name"]))}
            cluster |= {
                **_subsets(policy),
                "type": "EDS",
                "eds_cluster_config": {
                    "eds_config": {"resource_api_version": "V3", "path_config_source": file}
                },
            }
    return found, services


def _subsets(policy: Json | None) -> Json:
    """What finds the pod that a picker names where pods listen elsewhere than they say.

    Envoy's own policy compares the name with the addresses of the endpoints, which are others here.
    """
    if policy is None:
        return {}
    (chosen,) = (one["typed_extension_config"] for one in policy["policies"])
    if chosen["name"] != _CHOSEN:
        raise ValueError(f"the load balancing policy {chosen['name']} is not simulated")
    named = {"keys": [DESTINATION], "fallback_policy": "ANY_ENDPOINT"}
    return {
        "lb_policy": "LEAST_REQUEST",
        "lb_subset_config": {"fallback_policy": "ANY_ENDPOINT", "subset_selectors": [named]},
    }


def _sources(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        if "path_config_source" in value:
            yield value["path_config_source"]
        for one in value.values():
            yield from _sources(one)
    elif isinstance(value, list):
        for one in value:
            yield from _sources(one)


def endpoints_file(cluster: str) -> str:
    """The name of the file with the endpoints of a cluster."""
    return f"endpoints-{cluster}.json"


def assignment(cluster: str, ports: list[int], names: list[str]) -> Json:
    """The content of that file. `names` are the addresses and ports that a picker knows."""
    endpoints = [
        {
            "endpoint": {
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}
            },
            "metadata": {"filter_metadata": {"envoy.lb": {DESTINATION: name}}},
        }
        for port, name in zip(ports, names, strict=True)
    ]
    found = {
        "@type": _TYPE,
        "cluster_name": cluster,
        "endpoints": [{"lb_endpoints": endpoints}] if endpoints else [],
    }
    return {"resources": [found]}


def ready(
    services: Iterable[Json], slices: list[Json], name: tuple[str, str], port: int
) -> list[tuple[str, int]]:
    """Address and port of the ready pods of a Service, by its namespace and name."""
    found = next(
        (
            one
            for one in services
            if (one["metadata"]["namespace"], one["metadata"]["name"]) == name
        ),
        None,
    )
    if found is None:
        return []
    return sorted({(ip, number) for _, ip, number in ready_endpoints(found, port, slices)})


def counters_arguments(port: int) -> list[str]:
    """Valkey's arguments: memory only, on a port of 127.0.0.1."""
    return ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]


def limits_environment(pod: Json, *, root: Path, counters: int, listens: int) -> dict[str, str]:
    """The variables of the rate limit service, which listens on a port of 127.0.0.1."""
    given = pod_environment.environment(pod, _container(pod, _LIMITS))
    return {
        **given,
        "RUNTIME_ROOT": str(root / given.get("RUNTIME_ROOT", "").lstrip("/")),
        "REDIS_SOCKET_TYPE": "tcp",
        "REDIS_URL": f"127.0.0.1:{counters}",
        "HOST": "127.0.0.1",
        "GRPC_HOST": "127.0.0.1",
        "GRPC_PORT": str(listens),
        "DEBUG_HOST": "127.0.0.1",
    }
