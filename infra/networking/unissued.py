"""Refuses a certificate that Google would issue only once it has taken the place of another.

With load-balancer authorization Google issues a certificate when a map's entry has it and its
domains resolve to the load balancer, within an hour or so. Alone in the entry of a host that is
served, it would leave that host without HTTPS until then. An entry with the former one too loses
nothing: that is `replaces`.

https://docs.cloud.google.com/certificate-manager/docs/domain-authorization
https://docs.cloud.google.com/certificate-manager/docs/map-entries (several certificates)
"""

from collections.abc import Callable, Mapping

from gkeplatform.contracts import NetworkingContract
from gkeplatform.errors import PlatformError
from gkeplatform.hosts import covers
from gkeplatform.naming import Naming
from infra.networking import certificate_plan as plan
from infra.networking.config import NetworkingConfig
from infra.networking.issuance import ACTIVE, Found, able
from infra.networking.tls import ManagerCertificate

KEY = "gke-networking:certificates"


def refuse(
    config: NetworkingConfig,
    deployed: NetworkingContract | None,
    naming: Naming,
    look: Callable[[], Mapping[str, Found]],
) -> None:
    """`PlatformError` for a host that would lose HTTPS. `deployed` is this layer's last contract.

    `look` gives the certificates of Certificate Manager by physical name. It is asked only where a
    served host would have certificates with load-balancer authorization alone.
    """
    if deployed is None:
        return
    hosts = _hosts(config, deployed)
    found = look() if hosts else {}
    for host, entry in hosts.items():
        names = {naming.of(plan.role(one)): one for one in entry}
        if any(name in found and found[name].state == ACTIVE for name in names):
            continue
        classic = _classic(host, deployed)
        former = [*able(found, of=naming.prefix, hosts=[host]), *classic]
        if not former:
            continue
        name, new = next(iter(names.items()))
        index = config.certificates.index(new)
        state = found[name].state if name in found else "not there yet"
        beside = (
            ", or leave the former certificate as it was, list the new one beside it under another "
            f"name than {new.name} with `replaces: <former>`, and remove the former when the new "
            "one is ACTIVE"
        )
        raise PlatformError(
            f"{KEY}[{index}].authorization: load-balancer, and {host} is served by "
            f"{former[0]}: Google issues {name} ({state}) only once the load balancer has it, "
            "and HTTPS of the host would fail until then, up to an hour; set authorization: "
            # A map has no entries for classic certificates.
            f"dns, which is issued first{'' if classic else beside}"
        )


def _hosts(
    config: NetworkingConfig, deployed: NetworkingContract
) -> dict[str, list[ManagerCertificate]]:
    """The served hosts whose certificates Google issues by way of the load balancer alone."""
    if not plan.is_mapped(config.certificates):
        return {}
    by_balancer = {
        one.name: one
        for one in config.certificates
        if isinstance(one, ManagerCertificate) and one.authorization == "load-balancer"
    }
    entries = {one.name: plan.serving(one, config.certificates) for one in config.domains}
    return {
        host: [by_balancer[name] for name in entry]
        for host, entry in entries.items()
        if all(name in by_balancer for name in entry)
        and (host in deployed.mapped or _classic(host, deployed))
    }


def _classic(host: str, deployed: NetworkingContract) -> list[str]:
    """The classic certificates of the host that are deployed, by physical name."""
    return [
        one.physical
        for one in deployed.certificates
        if any(covers(pattern, host) for pattern in one.domains)
    ]
