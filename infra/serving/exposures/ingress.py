"""Exposure `ingress`: a path of an NGINX ingress controller."""

import math
from typing import Annotated

from msgspec import Meta

from infra.serving.exposures.base import Server, require_rest_port
from infra.serving.exposures.path_route import PathRoute
from infra.serving.exposures.settings import IngressArgs, RouteSettings
from infra.serving.manifest import Manifest
from infra.serving.quantity import Bytes, amount

_NGINX = "nginx.ingress.kubernetes.io"
_REST = "(/|$)(.*)"


class Ingress(PathRoute, tag_field="kind", tag="ingress"):
    """A path of an NGINX ingress controller; its class is in `ingress`."""

    max_body: Annotated[
        Bytes | None,
        Meta(description="Largest request body, as `64Mi`. Default: NGINX's own, 1 MiB."),
    ] = None

    @property
    def needs_ingress_controller(self) -> bool:
        """The controller serves the Ingress."""
        return True

    def is_encrypted(self, routes: RouteSettings) -> bool:
        """Whether the Ingresses have a certificate."""
        return bool(routes.ingress and routes.ingress.tls_secret)

    def validate(self, server: Server, routes: RouteSettings) -> None:
        """Refuses an Ingress without an ingress class, and a server without HTTP."""
        require_rest_port(server, self.kind)
        if routes.ingress is None:
            raise ValueError(
                "exposure: an Ingress needs a controller; set gke-serving:ingress, with "
                "controller: {} where the cluster has none, or kind: gateway"
            )

    def annotations(self, args: IngressArgs) -> dict[str, str]:
        """Annotations of the Ingress, with the limits of this model."""
        limits = {}
        if self.max_body:
            limits["proxy-body-size"] = nginx_size(self.max_body)
        if self.timeout_seconds:
            # Between two reads or writes, in seconds; see `ngx_http_proxy_module`.
            limits["proxy-read-timeout"] = str(self.timeout_seconds)
            limits["proxy-send-timeout"] = str(self.timeout_seconds)
        return {**annotations(args), **{f"{_NGINX}/{key}": one for key, one in limits.items()}}

    def spec(self, server: Server, args: IngressArgs) -> Manifest:
        """The spec of the Ingress: one path, on each of the hosts."""
        path = {
            "path": pattern(self.path),
            # A regular expression is neither a prefix nor exact.
            "pathType": "ImplementationSpecific",
            "backend": {"service": {"name": server.name, "port": {"name": "rest"}}},
        }
        hosts: list[Manifest] = [{"host": host} for host in self.hosts] or [{}]
        secret = {"hosts": list(self.hosts)} if self.hosts else {}
        return {
            "ingressClassName": args.class_name,
            "rules": [{**host, "http": {"paths": [path]}} for host in hosts],
            **({"tls": [{**secret, "secretName": args.tls_secret}]} if args.tls_secret else {}),
        }


def annotations(args: IngressArgs) -> dict[str, str]:
    """Annotations of an Ingress: strip the path, and keep what follows (its second group)."""
    return {
        f"{_NGINX}/use-regex": "true",
        f"{_NGINX}/rewrite-target": "/$2",
        # Only our own controller is certain to be there before the Ingress.
        **({} if args.controller else {"pulumi.com/skipAwait": "true"}),
    }


def nginx_size(quantity: str) -> str:
    """A quantity as NGINX writes sizes: bytes, or with `k` or `m` where that is exact."""
    size = math.ceil(amount(quantity))
    for unit, factor in (("m", 1024 * 1024), ("k", 1024)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def pattern(path: str) -> str:
    """The regular expression of a path and everything below it: `/model`, and not `/models`."""
    return path.replace(".", r"\.") + _REST
