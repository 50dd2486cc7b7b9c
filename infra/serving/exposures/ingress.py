"""Exposure `ingress`: a path of an NGINX ingress controller."""

from infra.serving.exposures.base import Server, require_rest_port
from infra.serving.exposures.path_route import PathRoute
from infra.serving.exposures.settings import IngressArgs, RouteSettings
from infra.serving.manifest import Manifest

_NGINX = "nginx.ingress.kubernetes.io"
_REST = "(/|$)(.*)"


class Ingress(PathRoute, tag_field="kind", tag="ingress"):
    """A path of an NGINX ingress controller; its class is in `ingress`."""

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


def pattern(path: str) -> str:
    """The regular expression of a path and everything below it: `/model`, and not `/models`."""
    return path.replace(".", r"\.") + _REST
