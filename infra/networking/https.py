"""The HTTPS front end: SSL policy, target HTTPS proxy, forwarding rule on port 443."""

from collections.abc import Sequence

import pulumi
from pulumi_gcp import compute

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.networking.backends import SCHEME
from infra.networking.tls import SslPolicyArgs


class HttpsFrontend(pulumi.ComponentResource):
    """HTTPS for a URL map, with classic certificates (a list) or a certificate map (its link).

    Each kind has a proxy of its own name: Google refuses to remove the last classic certificate
    from a proxy, so the forwarding rule moves from one proxy to the other.
    """

    def __init__(  # noqa: PLR0913 (what the rooms beside it give)
        self,
        name: str,
        args: SslPolicyArgs,
        *,
        certificates: Sequence[pulumi.Output[str]] | pulumi.Output[str],
        after: Sequence[pulumi.Resource] = (),
        url_map: pulumi.Output[str],
        address: pulumi.Output[str],
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`after` is what the certificate map needs before it serves."""
        super().__init__("gkeplatform:networking:HttpsFrontend", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        policy = compute.SSLPolicy(
            name,
            name=naming.of(name),
            min_tls_version=args.min_tls,
            profile=args.profile,
            opts=child,
        )
        kind = "https-map" if isinstance(certificates, pulumi.Output) else "https"
        proxy = compute.TargetHttpsProxy(
            f"{name}-{kind}",
            name=naming.of(f"{name}-{kind}"),
            url_map=url_map,
            ssl_certificates=None if isinstance(certificates, pulumi.Output) else [*certificates],
            certificate_map=certificates if isinstance(certificates, pulumi.Output) else None,
            ssl_policy=policy.self_link,
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )
        compute.GlobalForwardingRule(
            f"{name}-https",
            name=naming.of(f"{name}-https"),
            ip_address=address,
            ip_protocol="TCP",
            port_range="443",
            target=proxy.self_link,
            load_balancing_scheme=SCHEME,
            labels=labels.google(),
            opts=child,
        )
        self.register_outputs({})


def redirect(
    name: str, *, naming: Naming, opts: pulumi.ResourceOptions | None = None
) -> compute.URLMap:
    """The URL map that redirects every request permanently to HTTPS."""
    return compute.URLMap(
        name,
        name=naming.of(name),
        default_url_redirect={
            "https_redirect": True,
            "redirect_response_code": "MOVED_PERMANENTLY_DEFAULT",
            "strip_query": False,
        },
        opts=opts,
    )
