"""Which classic certificates stay on the proxy until Google has issued those that take over."""

from __future__ import annotations

from typing import Any

import pytest

from gkeplatform.contracts import ServedCertificate
from gkeplatform.environment import Environment
from gkeplatform.errors import PlatformError
from gkeplatform.naming import Naming
from infra.networking.certificate_plan import role
from infra.networking.handover import Handover, handover, told
from infra.networking.tls import (
    Certificate,
    GoogleManagedCertificate,
    ManagerCertificate,
    OwnCertificate,
)
from tests.unit.published import networking

A, B, C = "a.acme.example", "b.acme.example", "c.acme.example"
NAMING = Naming(Environment(name="dev", project="acme-ml-dev", region="europe-west4", system="ml"))


def google(name: str, *domains: str, **more: Any) -> GoogleManagedCertificate:
    return GoogleManagedCertificate(name=name, domains=domains, **more)


def own(name: str, *domains: str) -> OwnCertificate:
    return OwnCertificate(name=name, domains=domains, certificate="PEM")


def physical(certificate: Certificate) -> str:
    return NAMING.of(role(certificate))


def change(
    before: Handover, *now: Certificate, issued: tuple[Certificate | ServedCertificate, ...] = ()
) -> Handover:
    active = {
        one.physical if isinstance(one, ServedCertificate) else physical(one) for one in issued
    }
    deployed = networking(classic=[*before.declared, *before.kept])
    return handover(now, deployed, NAMING, active.__contains__)


def first(*certificates: Certificate) -> Handover:
    return handover(certificates, None, NAMING, lambda _: False)


def test_a_certificate_with_other_domains_stands_beside_the_former_until_it_is_issued() -> None:
    old, new = google("models", A), google("models", A, B)
    before = first(old)
    assert (before.kept, before.issuing) == ((), ())
    beside = change(before, new, issued=(old,))
    assert beside.kept == before.declared
    assert beside.issuing == (physical(new),)
    assert [one.resource for one in beside.served] == [role(new), "models"]
    assert f"{physical(old)} serves until Google has issued {physical(new)}" in told(beside)[0]
    assert change(beside, new, issued=(old,)) == beside
    alone = change(beside, new, issued=(old, new))
    assert (alone.kept, alone.issuing, told(alone)) == ((), (), [])
    assert [one.resource for one in alone.declared] == [role(new)]
    assert [one.resource for one in change(alone, new, issued=(new,)).declared] == [role(new)]
    again = change(alone, google("models", C, A), issued=(new,))
    assert [one.resource for one in again.served] == ["models", role(new)]


def test_a_change_is_taken_back_at_once() -> None:
    old, new = google("models", A), google("models", A, B)
    beside = change(first(old), new, issued=(old,))
    back = change(beside, old, issued=(old,))
    assert (back.kept, [one.resource for one in back.declared]) == ((), ["models"])


def test_a_former_certificate_stays_for_its_domains_alone() -> None:
    old = google("models", A)
    # One that was never issued serves nothing; others have no domain of it, or serve it already.
    assert not change(first(old), google("models", A, B)).kept
    assert not change(first(old), google("other", B), issued=(old,)).kept
    assert not change(first(old), own("models", A), issued=(old,)).kept
    assert not change(
        first(old, google("wide", A, B)), google("wide", A, B), issued=(old, google("wide", A, B))
    ).kept
    renamed = change(first(old), google("renamed", A), issued=(old,))
    assert [one.physical for one in renamed.kept] == [physical(old)]


def test_a_certificate_map_has_its_own_way() -> None:
    mapped = ManagerCertificate(name="models", domains=(A,))
    assert change(first(google("models", A)), mapped) == Handover()


def test_what_google_has_yet_to_issue_cannot_take_the_place_of_a_certificate_map() -> None:
    def now(*certificates: Certificate) -> Handover:
        return handover(
            certificates, networking(mapped=[A, "*.b.acme.example"]), NAMING, lambda _: False
        )

    with pytest.raises(PlatformError, match=r"certificates\[1\]\.kind: .* HTTPS of a\.acme") as one:
        now(google("new", C), google("models", A, C))
    assert "list a self-managed certificate of the same domains" in str(one.value)
    with pytest.raises(PlatformError, match=r"HTTPS of x\.b\.acme\.example would fail"):
        now(google("models", f"x.{B}"))
    with pytest.raises(PlatformError, match=rf"HTTPS of {A}"):
        now(own("own", f"x.{B}"), google("models", A, f"x.{B}"))
    # Nothing is lost of what the map has not served, or a self-managed certificate serves at once.
    assert not now(google("models", B, C)).kept
    beside = now(own("own", A), google("models", A, C, replaces="own"))
    assert [one.name for one in beside.served] == ["own", "models"]
    assert not now(own("own", A)).kept
    assert now(ManagerCertificate(name="models", domains=(A,))) == Handover()


def test_a_self_managed_certificate_cannot_be_kept_without_its_key() -> None:
    before = first(own("own", A))
    with pytest.raises(PlatformError, match=r"certificates\[0\]\.kind: .* `replaces: own` in new"):
        change(before, google("new", A))
    assert not change(before, own("own", A), google("new", A, replaces="own")).kept


def test_a_proxy_takes_no_more_than_fifteen() -> None:
    old = [google(f"m{n}", f"m{n}.acme.example") for n in range(10)]
    new = [google(f"m{n}", f"m{n}.acme.example", f"n{n}.acme.example") for n in range(10)]
    with pytest.raises(PlatformError, match=r"10, and 10 that serve until .* takes 15"):
        change(first(*old), *new, issued=tuple(old))
