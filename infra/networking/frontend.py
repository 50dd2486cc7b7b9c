"""The front of the load balancer: from its address to the URL map that chooses a backend."""

import pulumi
from pulumi_gcp import compute

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.networking.backends import SCHEME
from infra.networking.https import redirect
from infra.networking.route_actions import path_rule, route_rule
from infra.networking.routing import Case, Matcher, cases

ROLE = "models"


class Frontend(pulumi.ComponentResource):
    """Address, URL map, and the HTTP side: target proxy and forwarding rule on 80."""

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
            host_rules=[
                {"hosts": [matcher.host], "path_matcher": matcher.name} for matcher in matchers
            ],
            path_matchers=[path_matcher(matcher, backends, default) for matcher in matchers],
            tests=[expectation(case, backends, default) for case in cases(matchers)],
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


def path_matcher(
    matcher: Matcher, backends: dict[str, pulumi.Output[str]], default: pulumi.Output[str]
) -> compute.URLMapPathMatcherArgsDict:
    """A planned matcher with the self links that exist only once the backends do."""
    made: compute.URLMapPathMatcherArgsDict = {"name": matcher.name, "default_service": default}
    if matcher.is_dense:
        made["route_rules"] = [
            route_rule(priority, rule, backends) for priority, rule in enumerate(matcher.rules, 1)
        ]
    else:
        made["path_rules"] = [path_rule(rule, backends) for rule in matcher.rules]
    return made


def expectation(
    case: Case, backends: dict[str, pulumi.Output[str]], default: pulumi.Output[str]
) -> compute.URLMapTestArgsDict:
    """A planned test, which Google judges before it takes the map."""
    service = default if case.version is None else backends[case.version]
    judged: compute.URLMapTestArgsDict = {
        "host": case.host,
        "path": case.path,
        "service": service,
    }
    if case.forwarded is not None:
        # The scheme is not compared where a service is named.
        judged["expected_output_url"] = f"http://{case.host}{case.forwarded}"
    return judged
