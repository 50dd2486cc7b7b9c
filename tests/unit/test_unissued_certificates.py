"""Which certificates with load-balancer authorization are refused, and which take over."""

from __future__ import annotations

from typing import Any

import pytest

from gkeplatform.contracts import NetworkingContract, ServedCertificate
from gkeplatform.environment import Environment
from gkeplatform.errors import PlatformError
from gkeplatform.naming import Naming
from infra.networking import certificate_plan as plan
from infra.networking.config import NetworkingConfig
from infra.networking.issuance import Found
from infra.networking.tls import Certificate, DomainArgs, ManagerCertificate, OwnCertificate
from infra.networking.unissued import refuse
from tests.unit.published import networking

A, B = "a.acme.example", "b.acme.example"
NAMING = Naming(Environment(name="dev", project="acme-ml-dev", region="europe-west4", system="ml"))


def by_balancer(name: str, *domains: str, **more: Any) -> ManagerCertificate:
    return ManagerCertificate(name=name, domains=domains, authorization="load-balancer", **more)


def by_dns(name: str, *domains: str, **more: Any) -> ManagerCertificate:
    return ManagerCertificate(name=name, domains=domains, **more)


def physical(certificate: Certificate) -> str:
    return NAMING.of(plan.role(certificate))


def known(*certificates: Certificate, state: str = "ACTIVE") -> dict[str, Found]:
    return {physical(one): Found(state, one.domains) for one in certificates}


SERVED = networking(mapped=[A])


def check(
    *wanted: Certificate,
    found: dict[str, Found] | None = None,
    deployed: NetworkingContract | None = SERVED,
    hosts: tuple[str, ...] = (A,),
) -> None:
    config = NetworkingConfig(
        certificates=wanted, domains=tuple(DomainArgs(name=one) for one in hosts)
    )
    refuse(config, deployed, NAMING, lambda: found or {})


FORMER = by_balancer("former", A)
NEW = by_balancer("new", A, B)


def test_one_that_is_not_there_yet_takes_no_host_from_another() -> None:
    with pytest.raises(PlatformError) as refused:
        check(NEW, found=known(FORMER))
    message = str(refused.value)
    assert message.startswith("gke-networking:certificates[0].authorization: load-balancer")
    assert f"{A} is served by {physical(FORMER)}" in message
    assert "authorization: dns" in message
    assert "`replaces: <former>`" in message


def test_nor_does_it_under_the_same_name() -> None:
    with pytest.raises(PlatformError, match="under another name than former"):
        check(by_balancer("former", A, B), found=known(FORMER))


def test_nor_does_one_that_is_not_issued_when_the_former_is_removed() -> None:
    found = {**known(FORMER), **known(NEW, state="PROVISIONING")}
    with pytest.raises(PlatformError, match=r"\(PROVISIONING\) only once"):
        check(NEW, found=found)


def test_beside_the_former_it_takes_over() -> None:
    replacing = by_balancer("new", A, B, replaces="former")
    check(replacing, FORMER, found=known(FORMER))
    issued = {**known(FORMER), **known(replacing)}
    check(by_balancer("new", A, B), found=issued)
    own = OwnCertificate(name="own", domains=(A,), certificate="PEM")
    assert plan.serving(DomainArgs(name=A), (own, by_balancer("new", A, replaces="own"))) == (
        "new",
        "own",
    )


@pytest.mark.parametrize(
    ("found", "deployed"),
    [
        ({}, None),
        ({}, networking()),
        (known(NEW, state="PROVISIONING"), SERVED),
        (known(by_dns("other", B)), SERVED),
        (known(FORMER, state="PROVISIONING"), SERVED),
    ],
    ids=["first", "without-https", "being-issued", "other-host", "former-never-issued"],
)
def test_a_host_that_nothing_serves_gets_it(
    found: dict[str, Found], deployed: NetworkingContract | None
) -> None:
    check(NEW, found=found, deployed=deployed)


def test_one_with_dns_authorization_is_no_matter_of_this() -> None:
    check(by_dns("new", A), found=known(FORMER))


def test_a_map_does_not_take_the_place_of_classic_ones_with_it() -> None:
    classic = ServedCertificate(
        name="old", resource="old", physical="ml-dev-old", domains=(A,), is_managed=True
    )
    with pytest.raises(PlatformError, match=r"served by ml-dev-old: .*authorization: dns") as found:
        check(NEW, deployed=networking(classic=[classic]))
    assert "replaces" not in str(found.value)


def test_an_entry_has_the_one_that_its_own_replaces_if_that_covers_the_host() -> None:
    wide = by_dns("wide", "*.acme.example")
    new = by_balancer("new", A, "a.other.example", replaces="wide")
    assert plan.serving(DomainArgs(name=A), (wide, new)) == ("new", "wide")
    assert plan.serving(DomainArgs(name="a.other.example"), (wide, new)) == ("new",)
    assert plan.serving(DomainArgs(name=B), (wide, new)) == ("wide",)
