"""The Service of a model, as plain data: how each exposure is spelled in Kubernetes."""

import json
from typing import Any

from infra.serving.catalogue import HTTP
from infra.serving.manifest import Manifest
from infra.serving.model import HttpLoadBalancer, LoadBalancer, Model, preset
from infra.serving.pod import selector

NEG = "cloud.google.com/neg"


def annotations(model: Model, *, neg: str) -> dict[str, str]:
    """What makes GKE keep network endpoint groups for the Service, named so that they are known."""
    exposure = model.exposure
    if not isinstance(exposure, HttpLoadBalancer) or exposure.backend != "network-endpoint-groups":
        return {}
    port = str(preset(model).rest_port)
    return {NEG: json.dumps({"exposed_ports": {port: {"name": neg}}})}


def service(model: Model) -> Manifest:
    """The spec of the Service: REST and gRPC; a load balancer's REST is on port 80."""
    server = preset(model)
    exposure = model.exposure
    rest: dict[str, Any] = {"name": "rest", "port": server.rest_port, "targetPort": "rest"}
    spec: dict[str, Any] = {"type": "ClusterIP"}
    if isinstance(exposure, LoadBalancer):
        rest["port"] = HTTP
        spec = {"type": "LoadBalancer"}
        if exposure.source_ranges:
            spec["loadBalancerSourceRanges"] = list(exposure.source_ranges)
    elif isinstance(exposure, HttpLoadBalancer) and exposure.node_port is not None:
        rest["nodePort"] = exposure.node_port
        spec = {"type": "NodePort"}
    ports = [rest]
    # A load balancer and a node port would put gRPC before the world, which nobody asked for.
    if spec["type"] == "ClusterIP" and server.grpc_port is not None:
        ports.append({"name": "grpc", "port": server.grpc_port, "targetPort": "grpc"})
    return {**spec, "selector": selector(model), "ports": [{**p, "protocol": "TCP"} for p in ports]}
