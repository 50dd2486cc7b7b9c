"""Identity-Aware Proxy: Envoy asks here whether a request may pass.

It asks with the request's method, host, path and headers, below the backend service's path
(`sandbox.traffic.load_balancer.iap`). The IAM policies of the backend service, of its project's
backends and of the project decide. Nobody signs in: callers bring an ID token of the sandbox, which
`POST /sandbox/v1/identities` makes for any e-mail address.

What Google answers: https://docs.cloud.google.com/iap/docs/authentication-howto and
https://docs.cloud.google.com/iap/docs/signed-headers-howto.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from sandbox.gcp import iam_store
from sandbox.gcp.service import State, project_number
from sandbox.gcp.services.compute.place import Place
from sandbox.home import Home
from sandbox.traffic.runtime import iam_conditions
from sandbox.traffic.runtime.json_web_tokens import Signer, TokenError

ROLE = "roles/iap.httpsResourceAccessor"
ISSUER = "https://accounts.google.com"
_ASSERTION_ISSUER = "https://cloud.google.com/iap"
_ASSERTION_SECONDS, _TOKEN_SECONDS = 600, 3600
_OWN_DOMAIN = ".gserviceaccount.com"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of which Envoy asks whether it may pass."""

    method: str
    service: Place
    path: str
    """Decoded, without the query."""
    host: str
    headers: Mapping[str, str]
    """By lower-case name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """200 lets the request pass with these headers; anything else goes to the client."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


class IdentityAwareProxy:
    """The decisions of one sandbox's proxy."""

    def __init__(self, state: State, home: Home) -> None:
        self._state = state
        self._home = home
        self._signer: Signer | None = None

    @property
    def signer(self) -> Signer:
        """The key of ID tokens and of signed headers. Raises OSError."""
        if self._signer is None:
            self._signer = Signer(self._home.traffic / "identity.key")
        return self._signer

    def identity(self, email: str, *, audience: str | None, groups: tuple[str, ...] = ()) -> str:
        """An ID token of a person or service account; without an audience it fits no backend."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": ISSUER, "sub": _subject(email), "email": email, "email_verified": True,
            "iat": now, "exp": now + _TOKEN_SECONDS, "groups": list(groups),
        }  # fmt: skip
        return self.signer.sign(claims | ({"aud": audience} if audience else {}))

    def issued(self, wanted: Mapping[str, Any]) -> dict[str, str]:
        """The answer of `POST /sandbox/v1/identities`."""
        groups = tuple(str(one) for one in wanted.get("groups") or ())
        audience = wanted.get("audience")
        return {"idToken": self.identity(str(wanted["email"]), groups=groups, audience=audience)}

    def public_keys(self) -> dict[str, str]:
        """The keys of signed headers by id, PEM."""
        return {self.signer.key_id: self.signer.public_key}

    def decide(self, asked: Asked) -> Answer:
        """Whether a request may pass, and with which headers."""
        document = self._state.store.get(asked.service.key)
        if document is None:
            return refusal(403, "The backend service does not exist.")
        if asked.method == "OPTIONS" and self._lets_options_pass(asked.service, document):
            return Answer(200)
        given = asked.headers.get("proxy-authorization") or asked.headers.get("authorization", "")
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer":
            return _unidentified(asked, document)
        try:
            claims = self._claims(token.strip(), asked, document)
        except TokenError as error:
            return refusal(401, f"Invalid IAP credentials: {error}")
        if not self._is_allowed(asked, document, claims):
            return refusal(403, f"You don't have access. {claims['email']} is not allowed.")
        return Answer(200, self._headers(asked.service, document, claims))

    def _claims(self, token: str, asked: Asked, document: dict[str, Any]) -> dict[str, Any]:
        if not token:
            raise TokenError("empty token")
        claims = self.signer.claims(token)
        if claims.get("iss") != ISSUER or not claims.get("email"):
            raise TokenError("JWT is no ID token")
        if float(claims.get("exp", 0)) < time.time():
            raise TokenError("Expired JWT")
        audience = claims.get("aud")
        client = (document.get("iap") or {}).get("oauth2ClientId")
        url = f"https://{asked.host}"
        fits = {client} if client else {url, f"{url}/*", f"{url}{asked.path}"}
        if audience not in fits:
            raise TokenError("Invalid bearer token. Invalid JWT audience.")
        return claims

    def _is_allowed(self, asked: Asked, document: dict[str, Any], claims: dict[str, Any]) -> bool:
        members = _members(str(claims["email"]), claims.get("groups") or ())
        for resource in _policies(asked.service, str(document["id"])):
            for binding in iam_store.get(self._state, resource).get("bindings") or []:
                if binding["role"] != ROLE or members.isdisjoint(binding["members"]):
                    continue
                condition = (binding.get("condition") or {}).get("expression")
                if condition is None or iam_conditions.holds(
                    condition, host=asked.host, path=asked.path
                ):
                    return True
        return False

    def _lets_options_pass(self, service: Place, document: dict[str, Any]) -> bool:
        path = _own_resource(service, str(document["id"]))
        settings = self._state.store.get(f"iap-settings/{path}") or {}
        access = settings.get("accessSettings") or {}
        return bool((access.get("corsSettings") or {}).get("allowHttpOptions"))

    def _headers(
        self, service: Place, document: dict[str, Any], claims: dict[str, Any]
    ) -> dict[str, str]:
        email, subject = str(claims["email"]), f"accounts.google.com:{claims['sub']}"
        now, number = int(time.time()), project_number(service.project)
        assertion = {
            "iss": _ASSERTION_ISSUER,
            "aud": f"/projects/{number}/{service.scope}/backendServices/{document['id']}",
            "sub": subject, "email": email, "iat": now, "exp": now + _ASSERTION_SECONDS,
        }  # fmt: skip
        if not email.endswith(_OWN_DOMAIN):
            assertion["hd"] = email.partition("@")[2]
        return {
            "x-goog-iap-jwt-assertion": self.signer.sign(assertion),
            "x-goog-authenticated-user-email": f"accounts.google.com:{email}",
            "x-goog-authenticated-user-id": subject,
        }


def _unidentified(asked: Asked, document: dict[str, Any]) -> Answer:
    """A browser is sent to sign in; a script, which says so, is not."""
    if asked.headers.get("x-requested-with", "").lower() == "xmlhttprequest":
        return refusal(401, "Invalid IAP credentials: empty token")
    client = (document.get("iap") or {}).get("oauth2ClientId") or "google-managed"
    back = quote(f"https://iap.googleapis.com/v1/oauth/clientIds/{client}:handleRedirect", safe="")
    location = (
        f"https://accounts.google.com/o/oauth2/v2/auth?client_id={quote(client)}"
        f"&response_type=code&scope=openid+email&redirect_uri={back}"
    )
    return Answer(302, {"location": location, "x-goog-iap-generated-response": "true"})


def refusal(status: int, text: str) -> Answer:
    """The proxy's own answer to the client."""
    headers = {"x-goog-iap-generated-response": "true", "content-type": "text/html; charset=UTF-8"}
    return Answer(status, headers, text)


def _subject(email: str) -> str:
    """Google's number of an account: 21 digits."""
    return f"1{int.from_bytes(hashlib.sha256(email.encode()).digest()[:8]) % 10**20:020d}"


def _members(email: str, groups: Any) -> set[str]:
    kind = "serviceAccount" if email.endswith(_OWN_DOMAIN) else "user"
    own = {f"{kind}:{email}", "allUsers", "allAuthenticatedUsers"}
    if kind == "user":
        own.add(f"domain:{email.partition('@')[2]}")
    return own | {f"group:{one}" for one in groups}


def _kind(service: Place) -> str:
    return f"compute-{service.region}" if service.region else "compute"


def _own_resource(service: Place, number: str) -> str:
    return f"projects/{service.project}/iap_web/{_kind(service)}/services/{number}"


def _policies(service: Place, number: str) -> tuple[str, ...]:
    """The resources whose policies apply, from the backend service to its project."""
    web = f"projects/{service.project}/iap_web"
    return (
        f"iap/{_own_resource(service, number)}",
        f"iap/{web}/{_kind(service)}",
        f"iap/{web}",
        f"cloudresourcemanager/projects/{service.project}",
    )
