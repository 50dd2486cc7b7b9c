"""How a model is reached: kinds of exposure, and the controllers that serve routes in the cluster.

Each kind is one module with its settings, a subclass of `ExposureSettings` (`base.py`) that builds
the Service, the route and the URL and validates the entry. `Exposure` is the union of all kinds. A
new kind is one module and one line here, and in `routes.py` if it needs objects of its own. Other
rooms call methods and properties of `Exposure`; they never ask for a kind.

The global HTTP load balancer itself belongs to `infra/networking`, pods to `models`.
"""

from infra.serving.exposures.base import Server
from infra.serving.exposures.cluster_ip import ClusterIp
from infra.serving.exposures.gateway import Gateway
from infra.serving.exposures.http_load_balancer import HttpLoadBalancer
from infra.serving.exposures.inference_gateway import InferenceGateway
from infra.serving.exposures.ingress import Ingress
from infra.serving.exposures.load_balancer import LoadBalancer
from infra.serving.exposures.settings import GatewayArgs, IngressArgs, NginxArgs, RouteSettings

__all__ = [
    "Exposure",
    "FormerExposure",
    "GatewayArgs",
    "IngressArgs",
    "NginxArgs",
    "RouteSettings",
    "Server",
]

Exposure = ClusterIp | LoadBalancer | HttpLoadBalancer | Ingress | Gateway | InferenceGateway
FormerExposure = Ingress | Gateway
"""The kinds whose route may stay while a model moves: it needs nothing of the Service."""
