"""The decisions about domains and certificates: what covers what, and what is refused."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from declared import Declared, run_layer, stack_config
from gkeplatform.config import load
from gkeplatform.errors import PlatformError
from gkeplatform.hosts import covers
from gkeplatform.layers import CLUSTER, NETWORKING, SERVING
from gkeplatform.stack import Refused
from infra import stack_file
from infra.networking import certificate_plan as plan
from infra.networking import issuance, own_certificates
from infra.networking.config import NetworkingConfig
from tests.pairs import pair

A, B = "a.acme.example", "b.acme.example"
Json = dict[str, Any]


def certificate(
    name: str = "models", *domains: str, kind: str = "google-managed", **more: Any
) -> Json:
    return {"name": name, "kind": kind, "domains": list(domains or (A,)), **more}


def manager(name: str = "models", *domains: str, **more: Any) -> Json:
    return certificate(name, *domains, kind="certificate-manager", **more)


def config(**keys: Any) -> NetworkingConfig:
    values = {f"gke-networking:{key}": json.dumps(value) for key, value in keys.items()}
    return load(NetworkingConfig, namespace="gke-networking", values=values, file="stacks/x.yaml")


def refused(**keys: Any) -> str:
    with pytest.raises(PlatformError) as raised:
        config(**keys)
    return str(raised.value)


def domains(*names: str, **more: Any) -> list[Json]:
    return [{"name": name, **more} for name in names]


REFUSALS: dict[str, tuple[Json, list[str]]] = {
    "a certificate that is not there": (
        {
            "domains": domains(A, certificate="modles"),
            "certificates": [certificate("models"), certificate("other", B)],
        },
        ["gke-networking:domains[0].certificate", '"modles"', 'did you mean "models"', "other"],
    ),
    "two certificates of one domain": (
        {"domains": domains(A), "certificates": [certificate("one"), certificate("two", B, A)]},
        ["gke-networking:certificates[1].domains", f'"{A}"', "certificate one", "replaces: one"],
    ),
    "a domain that no certificate covers": (
        {"domains": domains(A, "aa.acme.example"), "certificates": [certificate()]},
        [
            "gke-networking:domains[1].name",
            'no certificate covers "aa.acme.example"',
            f'did you mean "{A}"',
        ],
    ),
    "a domain that its certificate does not cover": (
        {
            "domains": domains(B, certificate="one"),
            "certificates": [certificate("one"), certificate("two", B)],
        },
        ["gke-networking:domains[0].certificate", "one does not cover", "which two does"],
    ),
    "what is no domain": (
        {"domains": domains("https://Models_1.Acme.example/x")},
        ["gke-networking:domains[0].name", 'did you mean "models-1.acme.example"?'],
    ),
    "what is no domain, on a certificate": (
        {"domains": domains(A), "certificates": [certificate("models", A, "localhost")]},
        ["gke-networking:certificates[0].domains[1]", '"localhost" is not a domain'],
    ),
    "a wildcard on a classic certificate": (
        {"domains": domains(A), "certificates": [certificate("models", "*.acme.example")]},
        ["gke-networking:certificates[0].domains[0]", "wildcard", "kind: certificate-manager"],
    ),
    "a wildcard proven by the load balancer": (
        {
            "domains": domains(A),
            "certificates": [manager("m", "*.acme.example", authorization="load-balancer")],
        },
        ["gke-networking:certificates[0].domains[0]", "authorization: dns"],
    ),
    "more than a hundred domains": (
        {
            "domains": domains("m1.acme.example"),
            "certificates": [certificate("models", *(f"m{n}.acme.example" for n in range(103)))],
        },
        ["gke-networking:certificates[0].domains", "103 domains", "move 3 to another"],
    ),
    "a domain that is too long for a classic certificate": (
        {"domains": domains(A), "certificates": [certificate("m", f"{'a' * 60}.acme.example")]},
        ["gke-networking:certificates[0].domains[0]", "73 characters", "takes 63"],
    ),
    "a domain that stands twice": (
        {"domains": domains(A, A)},
        ["gke-networking:domains[1].name", "is listed twice"],
    ),
    "a certificate's name twice": (
        {"domains": domains(A), "certificates": [certificate("m"), certificate("m", B)]},
        ["gke-networking:certificates[1].name", '"m"'],
    ),
    "classic beside a map": (
        {"domains": domains(A), "certificates": [manager("new", B), certificate("old")]},
        ["gke-networking:certificates[1].kind", "make old certificate-manager too"],
    ),
    "more classic certificates than a proxy takes": (
        {
            "domains": domains("m0.acme.example"),
            "certificates": [certificate(f"m{n}", f"m{n}.acme.example") for n in range(16)],
        },
        ["gke-networking:certificates", "takes 15"],
    ),
    "certificates for no domain": (
        {"certificates": [certificate()]},
        ["gke-networking:domains", A],
    ),
    "wildcards only": (
        {"domains": domains("*.acme.example"), "certificates": [manager("m", "*.acme.example")]},
        ["gke-networking:domains", "models.acme.example"],
    ),
    "a redirect to nowhere": (
        {"https": {"redirect": True}},
        ["gke-networking:https.redirect", "redirect: false"],
    ),
    "TLS 1.3 with ciphers of before": (
        {"https": {"ssl_policy": {"min_tls": "TLS_1_3"}}},
        ["gke-networking:https.ssl_policy", "RESTRICTED"],
    ),
    "TLS 1.1": (
        {"https": {"ssl_policy": {"min_tls": "TLS_1_1"}}},
        ["gke-networking:https.ssl_policy.min_tls", '"TLS_1_1" is not allowed', "TLS_1_2"],
    ),
    "a domain outside the zone": (
        {"domains": domains("models.other.example"), "dns": {"domain": "acme.example"}},
        ["gke-networking:domains[0].name", "not in the zone acme.example", "record: false"],
    ),
    "a replaced certificate that is not there": (
        {"domains": domains(A), "certificates": [certificate("m", replaces="n")]},
        ["gke-networking:certificates[0].replaces", '"n"'],
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_does_not_fit_is_refused_with_key_value_and_remedy(case: str) -> None:
    keys, words = REFUSALS[case]
    said = refused(**keys)
    assert said.startswith("stacks/x.yaml: ")
    for word in words:
        assert word in said, said


def test_the_examples_of_the_refusals_work_when_mended() -> None:
    config()
    config(domains=domains(A), certificates=[certificate()], https={"redirect": True})
    config(domains=domains(A, certificate="models"), certificates=[certificate()])
    config(domains=domains(A), certificates=[certificate("m", "*.acme.example", kind=MANAGER)])
    config(domains=domains(A), certificates=[certificate("a"), certificate("b", replaces="a")])
    config(domains=domains("acme.example", A), dns={"domain": "acme.example"})
    config(domains=domains("x.other.example", record=False), dns={"domain": "acme.example"})


MANAGER = "certificate-manager"


@pytest.mark.parametrize(
    ("pattern", "domain", "expected"),
    [
        (A, A, True),
        (A, B, False),
        ("*.acme.example", A, True),
        ("*.acme.example", "acme.example", False),
        ("*.acme.example", "x.a.acme.example", False),
        ("*.acme.example", "*.acme.example", True),
    ],
)
def test_a_wildcard_stands_for_one_label(pattern: str, domain: str, expected: bool) -> None:
    assert covers(pattern, domain) is expected


def roles(**keys: Any) -> list[str]:
    return [plan.role(one) for one in config(domains=domains(A), **keys).certificates]


def test_a_certificate_s_name_changes_with_its_content_alone() -> None:
    (name,) = roles(certificates=[manager("m", A, B)])
    assert name.startswith("m-")
    assert roles(certificates=[manager("m", B, A)]) == [name]
    assert roles(certificates=[manager("m", A, B, wait_seconds=1)]) == [name]
    assert roles(certificates=[manager("m", A)]) != [name]
    assert roles(certificates=[certificate("m", A, B)]) != [name]
    assert plan.generations(
        f"acme-{name}", [f"acme-{name}", "acme-m-01234567", "acme-n-0123456a"]
    ) == ["acme-m-01234567"]


def test_a_domain_is_served_by_name_before_by_wildcard() -> None:
    made = config(
        domains=domains(A, B),
        certificates=[manager("wide", "*.acme.example"), manager("narrow", B)],
    )
    found = [plan.chosen(domain, made.certificates) for domain in made.domains]
    assert found == ["wide", "narrow"]
    assert plan.dns_validated(made.certificates) == ("acme.example", B)


def test_a_certificate_that_takes_over_comes_first() -> None:
    made = config(
        domains=domains(A), certificates=[certificate("old"), certificate("new", replaces="old")]
    )
    assert [one.name for one in plan.in_order(made.certificates)] == ["new", "old"]
    assert plan.chosen(made.domains[0], made.certificates) == "new"


def own(key_of: str | None = None, *, valid_for: str = A) -> Json:
    made, key = pair(valid_for)
    return {
        "domains": domains(A),
        "certificates": [certificate("own", A, kind="self-managed", certificate=made)],
        "private_keys": {"own": pair(A)[1] if key_of else key},
    }


def test_a_certificate_of_one_s_own_fits_its_key_and_its_domains() -> None:
    config(**own())
    said = refused(**own("another"))
    assert (
        "gke-networking:certificates[0].certificate: private_keys.own is not the key of this"
        in said
    )
    assert "BEGIN PRIVATE KEY" not in said
    assert f'is not valid for "{A}"; it is for {B}' in refused(**own(valid_for=B))
    assert "pulumi config set --secret" in refused(**{**own(), "private_keys": {}})
    assert 'did you mean "own"' in refused(**{**own(), "private_keys": {"owm": "x"}})
    nonsense = refused(**{**own(), "private_keys": {"own": "top secret"}})
    assert "not an unencrypted private key" in nonsense
    assert "top secret" not in nonsense


def test_a_key_in_plain_text_is_refused() -> None:
    own_certificates.require_encryption({"own": "x"}, is_secret=True)
    own_certificates.require_encryption({}, is_secret=False)
    with pytest.raises(PlatformError, match=r"private_keys: the private key of own is not encr"):
        own_certificates.require_encryption({"own": "x"}, is_secret=False)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            '"name": "translate.dev.acme.example"',
            '"name": "translat.dev.acme.example"',
            ["gke-networking:domains[1].name", 'did you mean "translate.dev.acme.example"'],
        ),
        (
            '"hosts": ["translate.dev.acme.example"]',
            '"hosts": ["translat.dev.acme.example"]',
            [
                "gke-serving:models[2].exposure.hosts[0]",
                'did you mean "translate.dev.acme.example"',
            ],
        ),
    ],
)
def test_a_mistake_in_a_later_layer_s_keys_stops_the_first_layer(
    old: str, new: str, words: list[str]
) -> None:
    values = stack_config("dev")
    stack_file.read(values, file="f")
    spoilt = {key: value.replace(old, new, 1) for key, value in values.items()}
    assert spoilt != values
    with pytest.raises(PlatformError) as raised:
        stack_file.read(spoilt, file="f")
    for word in words:
        assert word in str(raised.value), raised.value
    declared = Declared()
    with pytest.raises(Refused):
        run_layer(CLUSTER, "dev", {}, config=spoilt, into=declared)
    assert not declared.inputs


def test_records_go_into_a_zone_that_is_there() -> None:
    upstream: dict[str, Json] = {}
    for layer in (CLUSTER, SERVING):
        made = run_layer(layer, "dev", upstream)
        upstream[f"organization/{layer.project}/dev"] = made.outputs
    dns = {"domain": "acme.example", "zone": "corporate", "project": "acme-dns"}
    values = {**stack_config("dev"), "gke-networking:dns": json.dumps(dns)}
    declared = run_layer(NETWORKING, "dev", upstream, config=values)
    assert not declared.of("gcp:dns/managedZone:ManagedZone")
    records = declared.of("gcp:dns/recordSet:RecordSet").values()
    assert {(one["managedZone"], one["project"]) for one in records} == {("corporate", "acme-dns")}
    assert declared.outputs["name_servers"] == []


def waiting(
    *answers: dict[str, str], wait_seconds: float = 60, is_takeover: bool = False
) -> list[dict[str, str]]:
    """What was asked for until it ended. A name tells the host: `a-*` serves a.example."""
    left = list(answers)
    seen: list[dict[str, str]] = []

    async def states() -> dict[str, issuance.Found]:
        seen.append(left.pop(0) if len(left) > 1 else left[0])
        return {
            name: issuance.Found(state, (f"{name.split('-')[-2]}.example",))
            for name, state in seen[-1].items()
        }

    wait = issuance.Wait(
        hosts=("m.example",), of="m-", seconds=wait_seconds, is_takeover=is_takeover
    )
    asyncio.run(issuance.issued("m-00000002", states, wait))
    return seen


def test_a_first_certificate_is_not_waited_for() -> None:
    assert len(waiting({"m-00000002": "PROVISIONING"})) == 1
    assert len(waiting({"m-00000002": "PROVISIONING", "n-00000001": "ACTIVE"})) == 1


def test_a_new_certificate_serves_only_when_it_is_issued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuance, "POLL_SECONDS", 0)
    old = {"m-00000001": "ACTIVE"}
    answers = [{**old, "m-00000002": state} for state in ("PROVISIONING", "PROVISIONING", "ACTIVE")]
    assert len(waiting(*answers)) == 3
    with pytest.raises(PlatformError, match=r"m-00000002 is PROVISIONING .* m-00000001 still"):
        waiting(answers[0], wait_seconds=0)


def test_a_certificate_of_another_name_is_waited_for_if_it_takes_over_a_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(issuance, "POLL_SECONDS", 0)
    old = {"m-former-m-00000001": "ACTIVE"}
    answers = [{**old, "m-00000002": state} for state in ("PROVISIONING", "ACTIVE")]
    assert len(waiting(*answers)) == 2
    with pytest.raises(PlatformError, match=r"m-00000002 is PROVISIONING .* m-former-m-0+1 still"):
        waiting(answers[0], wait_seconds=0)


@pytest.mark.parametrize(
    ("name", "state"),
    [("m-former-n-00000001", "ACTIVE"), ("n-m-00000001", "ACTIVE"), ("m-a-m-1", "PROVISIONING")],
)
def test_what_serves_nothing_of_it_is_not_waited_for(name: str, state: str) -> None:
    assert len(waiting({name: state, "m-00000002": "PROVISIONING"})) == 1


def test_a_first_certificate_of_a_map_is_waited_for_while_classic_ones_serve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(issuance, "POLL_SECONDS", 0)
    answers = [{"m-00000002": state} for state in ("PROVISIONING", "ACTIVE")]
    assert len(waiting(*answers, is_takeover=True)) == 2
    with pytest.raises(PlatformError, match="the former ones still serve"):
        waiting(answers[0], wait_seconds=0, is_takeover=True)
