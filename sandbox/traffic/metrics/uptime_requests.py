"""One request of an uptime check, from one of Google's places, to a rehearsed front end.

https://cloud.google.com/monitoring/uptime-checks: a check follows redirects, and judges the last
answer by its status and its content. In the sandbox a host is where a URL map, an Ingress or the
emulated Cloud DNS names it; another host cannot be resolved, so its check fails.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from sandbox.traffic.load_balancer.client import ADDRESS_HEADER, REGION_HEADER
from sandbox.traffic.runtime.frontends import Frontend
from sandbox.well_known_types import seconds

Json = dict[str, Any]
_REDIRECTS = 10
_LARGEST = 4 << 20
"""Bytes of an answer that content is looked for in."""
_CLASS = "STATUS_CLASS_"
_AGENT = "GoogleStackdriverMonitoring-UptimeChecks(https://cloud.google.com/monitoring)"
_TYPES = {
    "URL_ENCODED": "application/x-www-form-urlencoded",
    "TYPE_UNSPECIFIED": None,
    "USER_PROVIDED": None,
}
_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "CONTAINS_STRING": lambda text, content: content in text,
    "NOT_CONTAINS_STRING": lambda text, content: content not in text,
    "MATCHES_REGEX": lambda text, content: bool(re.search(content, text)),
    "NOT_MATCHES_REGEX": lambda text, content: not re.search(content, text),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A place that checks are made from."""

    location: str
    """As the label `checker_location` has it."""
    address: str
    """Documentation's addresses (RFC 5737) stand for Google's."""
    country: str


PLACES = {
    "USA_OREGON": Place("usa-oregon", "198.51.100.1", "US"),
    "USA_IOWA": Place("usa-iowa", "198.51.100.2", "US"),
    "USA_VIRGINIA": Place("usa-virginia", "198.51.100.3", "US"),
    "EUROPE": Place("eur-belgium", "198.51.100.4", "BE"),
    "SOUTH_AMERICA": Place("sa-brazil-sao_paulo", "198.51.100.5", "BR"),
    "ASIA_PACIFIC": Place("apac-singapore", "198.51.100.6", "SG"),
}
"""By region."""
_USA = ("USA_OREGON", "USA_IOWA", "USA_VIRGINIA")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one request."""

    passed: bool
    milliseconds: float
    status: int | None = None
    """Of the last answer; None for TCP, and without an answer."""


def places(check: Json) -> list[Place]:
    """Where a check is made from: everywhere, unless it selects regions."""
    regions: dict[str, None] = {}
    for one in check.get("selectedRegions") or PLACES:
        regions |= dict.fromkeys(_USA if one == "USA" else (one,))
    return [PLACES[one] for one in regions if one in PLACES]


def unsupported(check: Json) -> tuple[str, str] | None:
    """The field of a check for which it is not made, and why; None if it is made."""
    http: Json = check.get("httpCheck") or {}
    resource = (check.get("monitoredResource") or {}).get("type")
    if resource != "uptime_url":
        return "monitoredResource", "only checks of URLs are made"
    if check.get("checkerType") == "VPC_CHECKERS":
        return "checkerType", "private checks are not made"
    if http.get("serviceAgentAuthentication"):
        return "httpCheck.serviceAgentAuthentication", "the service agent has no token here"
    for one in check.get("contentMatchers") or ():
        kind = one.get("matcher") or "CONTAINS_STRING"
        if kind not in _TEXTS:
            return "contentMatchers", f"{kind} is not evaluated"
        if "REGEX" in kind:
            try:
                re.compile(one["content"])
            except re.error as error:
                return "contentMatchers", f"not read as a regular expression: {error}"
    return None


def front_end(
    found: Iterable[Frontend], host: str, port: int, scheme: str | None = None
) -> Frontend | None:
    """The front end that a host resolves to; None where nothing has that name or address."""
    public = [
        one
        for one in found
        if one.kind != "node-port"
        and one.port == port
        and (scheme is None or one.scheme in (scheme, "tcp"))
    ]
    host = host.lower()
    named = (one for one in public if one.address == host or host in one.hosts)
    return next(named, next((one for one in public if _takes(one, host)), None))


def _takes(found: Frontend, host: str) -> bool:
    """Whether a front end names a domain that the host is below."""
    return any(one.startswith("*.") and host.endswith(one[1:]) for one in found.hosts)


def accepts(check: Json, status: int, text: str) -> bool:
    """Whether an answer is a good one."""
    wanted = (check.get("httpCheck") or {}).get("acceptedResponseStatusCodes")
    codes = wanted or [{"statusClass": f"{_CLASS}2XX"}]
    return any(_is_of(status, one) for one in codes) and all(
        _TEXTS[one.get("matcher") or "CONTAINS_STRING"](text, one["content"])
        for one in check.get("contentMatchers") or ()
    )


def _is_of(status: int, wanted: Json) -> bool:
    if wanted.get("statusValue"):
        return bool(status == wanted["statusValue"])
    kind = str(wanted.get("statusClass") or "").removeprefix(_CLASS)
    return kind == "ANY" or kind == f"{status // 100}XX"


class Requests:
    """Sends the requests, each on a connection of its own."""

    def __init__(self, authority: Path) -> None:
        """`authority` is the certificate of the sandbox's own, which is trusted beside others."""
        trusting = ssl.create_default_context()
        trusting.load_verify_locations(authority)
        limits = httpx.Limits(max_keepalive_connections=0)
        self._strict = httpx.AsyncClient(verify=trusting, trust_env=False, limits=limits)
        self._lax = httpx.AsyncClient(verify=False, trust_env=False, limits=limits)  # noqa: S501

    async def close(self) -> None:
        """Close connections."""
        await self._strict.aclose()
        await self._lax.aclose()

    async def send(self, check: Json, place: Place, found: list[Frontend]) -> Result:
        """Make a check from a place, where `unsupported` has nothing against it."""
        timeout, began = seconds(check.get("timeout") or "10s"), asyncio.get_running_loop().time()
        status: int | None = None
        passed = False
        with contextlib.suppress(httpx.HTTPError, OSError, TimeoutError):
            async with asyncio.timeout(timeout):
                if "tcpCheck" in check:
                    passed = await _connects(check, found)
                else:
                    status, text = await self._ask(check, place, found)
                    passed = status is not None and accepts(check, status, text)
        return Result(passed, (asyncio.get_running_loop().time() - began) * 1000, status)

    async def _ask(
        self, check: Json, place: Place, found: list[Frontend]
    ) -> tuple[int | None, str]:
        """Status and content of the last answer; no status where a host is nowhere."""
        http: Json = check["httpCheck"]
        method, body = http.get("requestMethod", "GET"), base64.b64decode(http.get("body") or "")
        url = _url(check)
        client = self._strict if http.get("validateSsl") else self._lax
        for _ in range(_REDIRECTS + 1):
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            host = str(parts.hostname)
            at = front_end(found, host, port, parts.scheme)
            if at is None:
                return None, ""
            path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
            request = client.build_request(
                method,
                f"{parts.scheme}://127.0.0.1:{at.listens}{path}",
                content=body or None,
                headers=_headers(http, parts.netloc, place),
                extensions={"sni_hostname": host},
                timeout=None,
            )
            answer = await client.send(request)
            if not answer.has_redirect_location:
                return answer.status_code, answer.text[:_LARGEST]
            url = urljoin(url, answer.headers["location"])
        return None, ""


def _url(check: Json) -> str:
    http: Json = check["httpCheck"]
    scheme, standard = ("https", 443) if http.get("useSsl") else ("http", 80)
    host, port = check["monitoredResource"]["labels"]["host"], http.get("port") or standard
    return f"{scheme}://{host}{'' if port == standard else f':{port}'}{http.get('path') or '/'}"


def _headers(http: Json, host: str, place: Place) -> dict[str, str]:
    found = {"User-Agent": _AGENT, **(http.get("headers") or {}), "Host": host}
    found.pop("Content-Length", None)  # stated empty for a body; the client counts it
    kind = _TYPES.get(http.get("contentType") or "") or http.get("customContentType")
    if kind and http.get("body"):
        found["Content-Type"] = kind
    if sign_in := http.get("authInfo"):
        pair = f"{sign_in.get('username', '')}:{sign_in.get('password', '')}"
        found["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return found | {ADDRESS_HEADER: place.address, REGION_HEADER: place.country}


async def _connects(check: Json, found: list[Frontend]) -> bool:
    """Whether the port of a TCP check takes a connection."""
    host, port = check["monitoredResource"]["labels"]["host"], check["tcpCheck"]["port"]
    at = front_end(found, host, port)
    if at is None:
        return False
    _, writer = await asyncio.open_connection("127.0.0.1", at.listens)
    writer.close()
    return True
