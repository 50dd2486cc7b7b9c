"""The Ingress of a model, as plain data, in the words of NGINX's controller."""

from collections.abc import Sequence
from typing import Any

from infra.serving.http_routes import Ingress, IngressArgs
from infra.serving.manifest import Manifest
from infra.serving.model import Model

PENDING = "not assigned yet"
"""What stands for a URL while the controller has given the Ingress no address."""
_NGINX = "nginx.ingress.kubernetes.io"
_REST = "(/|$)(.*)"


def annotations(args: IngressArgs) -> dict[str, str]:
    """The rewrite, which keeps what follows the path: `/$2` is the path's second group."""
    return {
        f"{_NGINX}/use-regex": "true",
        f"{_NGINX}/rewrite-target": "/$2",
        # Nobody knows when a controller that is not ours will speak; ours is there before.
        **({} if args.controller else {"pulumi.com/skipAwait": "true"}),
    }


def ingress(model: Model, exposure: Ingress, args: IngressArgs) -> Manifest:
    """The spec of the Ingress: one path, on each of the hosts."""
    backend = {"service": {"name": model.name, "port": {"name": "rest"}}}
    path = {
        "path": pattern(exposure.path),
        # A regular expression is neither a prefix nor exact.
        "pathType": "ImplementationSpecific",
        "backend": backend,
    }
    rules: list[dict[str, Any]] = [
        {"host": host, "http": {"paths": [path]}} for host in exposure.hosts
    ] or [{"http": {"paths": [path]}}]
    secret = {"hosts": list(exposure.hosts)} if exposure.hosts else {}
    return {
        "ingressClassName": args.class_name,
        "rules": rules,
        **({"tls": [{**secret, "secretName": args.tls_secret}]} if args.tls_secret else {}),
    }


def pattern(path: str) -> str:
    """The regular expression of a path and all below it: `/model`, and not `/models`."""
    return path.replace(".", r"\.") + _REST


def address(given: Sequence[Any] | None) -> str:
    """The first address of an Ingress; empty until it has one."""
    for one in given or ():
        ip, hostname = (
            (one.get("ip"), one.get("hostname"))
            if isinstance(one, dict)
            else (one.ip, one.hostname)
        )
        return str(ip or hostname or "")
    return ""
