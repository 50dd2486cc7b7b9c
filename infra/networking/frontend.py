"""The HTTP front end of the load balancer: from its address to the URL map."""

import pulumi
from pulumi_gcp import compute

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.networking.backends import SCHEME
from infra.networking.https import redirect
from infra.networking.url_map import arguments
from infra.networking.url_map.expectations import cases
from infra.networking.url_map.matchers import Matcher

ROLE = "models"


class Frontend(pulumi.ComponentResource):
    """Address, URL map, target HTTP proxy and forwarding rule on port 80."""

    address: pulumi.Output[str]
    url_map: compute.URLMap

    def __init__(
        self,
        name: str,
        matchers: tuple[Matcher, ...],
        *,
        backends: dict[str, pulumi.Output[str]],
        default: pulumi.Output[str],
        redirect_to_https: bool,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:networking:Frontend", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        address = compute.GlobalAddress(
            name, name=naming.of(ROLE), labels=labels.google(), opts=child
        )
        self.url_map = compute.URLMap(
            name,
            name=naming.of(ROLE),
            default_service=default,
            host_rules=arguments.host_rules(matchers),
            path_matchers=[arguments.path_matcher(one, backends, default) for one in matchers],
            tests=[arguments.expectation(case, backends, default) for case in cases(matchers)],
            opts=child,
        )
        plain = (
            redirect(f"{ROLE}-redirect", naming=naming, opts=child)
            if redirect_to_https
            else self.url_map
        )
        proxy = compute.TargetHttpProxy(
            name, name=naming.of(ROLE), url_map=plain.self_link, opts=child
        )
        compute.GlobalForwardingRule(
            name,
            name=naming.of(ROLE),
            ip_address=address.address,
            ip_protocol="TCP",
            port_range="80",
            target=proxy.self_link,
            load_balancing_scheme=SCHEME,
            labels=labels.google(),
            opts=child,
        )
        self.address = address.address
        self.register_outputs({"address": self.address})
