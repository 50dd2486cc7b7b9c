"""What Identity-Aware Proxy answers when Envoy asks it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sandbox.gcp.app import App
from sandbox.gcp.service import project_number
from sandbox.gcp.services.compute.place import parse
from sandbox.home import Home
from sandbox.traffic.runtime import iam_conditions
from sandbox.traffic.runtime.identity import ROLE, Answer, Asked, IdentityAwareProxy
from sandbox.traffic.runtime.json_web_tokens import Signer
from tests.sandbox.traffic.runtime.running import COMPUTE, ONE, Running

SERVICE = "projects/p/global/backendServices/one"
NUMBER = "1234"


class Proxy:
    def __init__(self, folder: Path) -> None:
        home = Home(folder)
        home.traffic.mkdir()
        self.state = App(None).state
        self.proxy = IdentityAwareProxy(self.state, home)
        self.service()

    def service(self, **iap: Any) -> None:
        document = {"name": "one", "id": NUMBER, "iap": {"enabled": True, **iap}}
        self.state.store.put(f"compute/{SERVICE}", document)

    def allow(self, *members: str, where: str = "", **more: Any) -> None:
        key = where or f"iap/projects/p/iap_web/compute/services/{NUMBER}"
        binding = {"role": ROLE, "members": list(members), **more}
        kept = {"policy": {"bindings": [binding]}, "generation": 1}
        self.state.store.put(f"policies/{key}", kept)

    def token(self, email: str, audience: str | None = "https://models.example",
              groups: tuple[str, ...] = ()) -> str:  # fmt: skip
        return self.proxy.identity(email, audience=audience, groups=groups)

    def ask(
        self, token: str | None = None, *, path: str = "/v1/models/a", method: str = "GET",
        **headers: str,
    ) -> Answer:  # fmt: skip
        place = parse(SERVICE)
        assert place is not None
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            given["authorization"] = f"Bearer {token}"
        return self.proxy.decide(Asked(method, place, path, "models.example", given))


@pytest.fixture
def iap(tmp_path: Path) -> Proxy:
    return Proxy(tmp_path)


def test_a_browser_is_sent_to_sign_in_and_a_script_is_refused(iap: Proxy) -> None:
    iap.allow("allUsers")
    browser = iap.ask()
    assert browser.status == 302
    assert browser.headers["location"].startswith("https://accounts.google.com/o/oauth2/")
    assert iap.ask(x_requested_with="XMLHttpRequest").status == 401


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "ya29.sandbox.abc"])
def test_what_is_no_token_is_refused(iap: Proxy, token: str) -> None:
    iap.allow("allUsers")
    answer = iap.ask(token)
    assert answer.status == 401
    assert answer.body.startswith("Invalid IAP credentials: ")


def test_a_token_of_another_key_is_refused(iap: Proxy, tmp_path: Path) -> None:
    iap.allow("user:ann@acme.example")
    (tmp_path / "other").mkdir()
    other = Signer(tmp_path / "other" / "identity.key")
    claims = iap.proxy.signer.claims(iap.token("ann@acme.example"))
    assert iap.ask(iap.proxy.signer.sign(claims)).status == 200
    assert iap.ask(other.sign(claims)).status == 401
    assert iap.ask(iap.proxy.signer.sign({**claims, "exp": 1})).status == 401
    # The header that it signs for backends is no ID token.
    passed = iap.ask(iap.proxy.signer.sign(claims)).headers["x-goog-iap-jwt-assertion"]
    assert iap.ask(passed).status == 401


@pytest.mark.parametrize(
    ("member", "email", "groups", "status"),
    [
        ("user:ann@acme.example", "ann@acme.example", (), 200),
        ("user:ann@acme.example", "bob@acme.example", (), 403),
        ("group:vision@acme.example", "bob@acme.example", ("vision@acme.example",), 200),
        ("group:vision@acme.example", "bob@acme.example", (), 403),
        ("domain:acme.example", "bob@acme.example", (), 200),
        ("domain:acme.example", "bob@acme.example.evil", (), 403),
        ("allAuthenticatedUsers", "bob@elsewhere.example", (), 200),
        ("serviceAccount:a@p.iam.gserviceaccount.com", "a@p.iam.gserviceaccount.com", (), 200),
        ("user:a@p.iam.gserviceaccount.com", "a@p.iam.gserviceaccount.com", (), 403),
        ("domain:p.iam.gserviceaccount.com", "a@p.iam.gserviceaccount.com", (), 403),
    ],
)
def test_the_policy_decides(
    iap: Proxy, member: str, email: str, groups: tuple[str, ...], status: int
) -> None:
    iap.allow(member)
    assert iap.ask(iap.token(email, groups=groups)).status == status


def test_nobody_passes_without_a_policy(iap: Proxy) -> None:
    assert iap.ask(iap.token("ann@acme.example")).status == 403


@pytest.mark.parametrize(
    "where",
    [
        "iap/projects/p/iap_web/compute",
        "iap/projects/p/iap_web",
        "cloudresourcemanager/projects/p",
    ],
)
def test_a_policy_above_the_backend_service_counts(iap: Proxy, where: str) -> None:
    iap.allow("user:ann@acme.example", where=where)
    assert iap.ask(iap.token("ann@acme.example")).status == 200


def test_an_audience_must_be_the_backends(iap: Proxy) -> None:
    iap.allow("user:ann@acme.example")
    for audience, status in [
        ("https://models.example", 200),
        ("https://models.example/*", 200),
        ("https://models.example/v1/models/a", 200),
        ("https://elsewhere.example", 401),
        (None, 401),
    ]:
        token = iap.token("ann@acme.example", audience=audience)
        assert iap.ask(token).status == status, audience
    iap.service(oauth2ClientId="client")
    assert iap.ask(iap.token("ann@acme.example", audience="client")).status == 200
    token = iap.token("ann@acme.example", audience="https://models.example")
    assert iap.ask(token).status == 401


def test_a_condition_on_the_path_decides(iap: Proxy) -> None:
    condition = {"expression": 'request.path.startsWith("/v1/models/a")'}
    iap.allow("user:ann@acme.example", condition=condition)
    token = iap.token("ann@acme.example")
    assert iap.ask(token, path="/v1/models/a:predict").status == 200
    assert iap.ask(token, path="/v1/models/b").status == 403


def test_the_backend_gets_a_signed_header(iap: Proxy) -> None:
    iap.allow("user:ann@acme.example")
    headers = iap.ask(iap.token("ann@acme.example")).headers
    claims = iap.proxy.signer.claims(headers["x-goog-iap-jwt-assertion"])
    assert claims["aud"] == f"/projects/{project_number('p')}/global/backendServices/{NUMBER}"
    assert claims["iss"] == "https://cloud.google.com/iap"
    assert claims["email"] == "ann@acme.example"
    assert claims["exp"] - claims["iat"] == 600
    assert headers["x-goog-authenticated-user-email"] == "accounts.google.com:ann@acme.example"


def test_options_pass_where_the_settings_say_so(iap: Proxy) -> None:
    assert iap.ask(method="OPTIONS").status == 302
    settings = {"accessSettings": {"corsSettings": {"allowHttpOptions": True}}}
    key = f"iap-settings/projects/p/iap_web/compute/services/{NUMBER}"
    iap.state.store.put(key, settings)
    assert iap.ask(method="OPTIONS").status == 200
    assert iap.ask(method="POST").status == 302


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ('request.host == "a.example"', True),
        ("request.host == 'b.example'", False),
        ('request.path.startsWith("/v1/") && request.host.endsWith(".example")', True),
        ('!(request.path == "/v1/x") || false', False),
        ('request.host != "a.example" || request.path.contains("/x")', True),
        ('request.path.matches("^/v[0-9]/x$")', True),
        ('request.time < timestamp("2027-01-01T00:00:00Z")', True),
        ('request.time >= timestamp("2027-01-01T00:00:00Z")', False),
        # What is not evaluated lets nobody in, negated or not.
        ('"accessPolicies/1/accessLevels/x" in request.auth.access_levels', False),
        ('!request.auth.claims.startsWith("x")', False),
        ('request.host == "a.example" || device.is_corp', False),
        ("request.host ==", False),
        ('request.host == "a.example" nonsense', False),
        ('request.path.matches("[")', False),
        ("request.host", False),
        ("", False),
    ],
)
def test_a_condition_is_evaluated_or_does_not_hold(expression: str, result: bool) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    assert iam_conditions.holds(expression, host="a.example", path="/v1/x", now=now) is result


def test_envoy_asks_it_for_each_request(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Running(tmp_path) as one:
            await one.pod("pod-1", ONE[1])
            one.redirect_to("a.example")
            group = one.endpoint_group("one", ONE)
            one.put(
                "global/backendServices/one", id=NUMBER, protocol="HTTP", iap={"enabled": True},
                backends=[{"group": group}], loadBalancingScheme="EXTERNAL_MANAGED",
            )  # fmt: skip
            one.put("global/urlMaps/m", defaultService=f"{COMPUTE}{SERVICE}")
            key = f"policies/iap/projects/p/iap_web/compute/services/{NUMBER}"
            binding = {"role": ROLE, "members": ["user:ann@acme.example"]}
            one.app.state.store.put(key, {"policy": {"bindings": [binding]}, "generation": 1})
            await one.settled()
            url = one.url("load-balancer", 80, "/v1/models/a?q=1")
            proxy = one.runtime.identity
            assert (await one.get(url)).status_code == 302
            for email, status in (("ann@acme.example", 200), ("bob@acme.example", 403)):
                token = proxy.identity(email, audience=f"https://{urlsplit(url).hostname}")
                answer = await one.get(url, authorization=f"Bearer {token}")
                assert answer.status_code == status, answer.text
                if status == 200:
                    assert answer.text == "pod-1 /v1/models/a?q=1"
            assert (await one.get(url, authorization="Bearer x")).status_code == 401

    asyncio.run(scenario())
