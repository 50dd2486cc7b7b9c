"""Requests to the front ends of a rehearsal, and what is wrong with their answers."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from cli import routing
from cli.routing import HTTP_LOAD_BALANCER, Plan
from cli.traffic import identity
from cli.traffic.front_ends import FrontEnds
from infra.path_routes import GATEWAY, INFERENCE, INGRESS
from sandbox import front_ends
from sandbox.front_ends import Frontend
from sandbox.home import Home
from tests.rehearsal.claims import Ask, asks, unclaimed

AT_A_TIME = 8
ROUTED = (HTTP_LOAD_BALANCER, GATEWAY, INGRESS, INFERENCE)


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a request."""

    status: int
    headers: Mapping[str, str]


class Rehearsed:
    """Where the front ends and pods of a rehearsed environment are reached."""

    def __init__(self, plan: Plan, home: Home, run: Mapping[str, Any]) -> None:
        """`run` is the JSON document of the rehearsal."""
        self._plan, self._address = plan, run["address"]
        self._urls = {one["name"]: one["url"] for one in run["models"]}
        found = front_ends.requests(home)
        assert found.problem is None, found.problem
        self.trust = ssl.create_default_context(cafile=str(found.cacert))
        self._frontends = [one for one in found.frontends if one.project == plan.project]
        self._pods = FrontEnds(home.path, plan.project)

    def port(self, ask: Ask) -> int:
        """The loopback port that an ask goes to."""
        if ask.kind not in self._plan.front_ends:
            url = urlsplit(self._urls[str(ask.expected.model)])
            host, port = str(url.hostname), url.port or 80
            if host.endswith(".svc"):
                name, _, namespace = host.removesuffix(".svc").partition(".")
                pod = self._pods.pod(namespace, name, port)
                assert pod is not None, ask
                return pod
            return self._pods.at(host, port).listens
        port = 443 if ask.url.startswith("https:") else 80
        (found,) = (
            one.listens
            for one in self._frontends
            if one.port == port and self._kind(one) == ask.kind
        )
        return found

    def _kind(self, front_end: Frontend) -> str:
        """The exposure that a front end is of; empty for others."""
        if front_end.kind != "load-balancer":
            return front_end.kind
        if "/regions/" in front_end.name:
            return INFERENCE
        return HTTP_LOAD_BALANCER if front_end.address == self._address else GATEWAY


def wrong(ask: Ask, seen: Seen) -> str | None:
    """What is wrong with an answer; None where nothing is."""
    expected, by = ask.expected, seen.headers.get("x-served-by-workload")
    said = f"{ask.method} {ask.url} ({ask.kind}): {seen.status} by {by}"
    if expected.redirect:
        to = seen.headers.get("location", "").replace(":443/", "/")
        right = (seen.status, to) == (expected.code, expected.redirect)
        return None if right else f"{said} to {to}, not {expected.code} to {expected.redirect}"
    if ask.statuses or expected.model is None:
        statuses = ask.statuses or (expected.code or 404, 403)
        right = by is None and seen.status in statuses
        return None if right else f"{said}, not {statuses} by nobody"
    versions = {version for version, weight in expected.shares if weight}
    path = seen.headers.get("x-served-by-path")
    if by not in versions or path != expected.path:
        return f"{said} at {path}, not {versions} at {expected.path}"
    if ask.kind not in ROUTED and not ask.is_claimed and seen.status < 400:
        return f"{said}, a neighbour's path"
    if ask.is_claimed and seen.status != 200:
        return f"{said}, not 200"
    return None


async def send(
    wanted: Iterable[Ask], rehearsed: Rehearsed, tokens: Mapping[tuple[tuple[str, ...], str], str]
) -> list[tuple[Ask, Seen]]:
    """Ask everything, a few at a time; `tokens` are of callers by the principals admitted."""
    turns = asyncio.Semaphore(AT_A_TIME)
    async with contextlib.AsyncExitStack() as stack:
        # A connection is of one host: its name was in the TLS handshake.
        clients = {
            host: await stack.enter_async_context(
                httpx.AsyncClient(verify=rehearsed.trust, trust_env=False, timeout=30)
            )
            for host in {urlsplit(ask.url).hostname for ask in wanted}
        }

        async def one(ask: Ask) -> tuple[Ask, Seen]:
            parts = urlsplit(ask.url)
            headers, extensions = {}, {}
            if parts.hostname:
                headers, extensions = {"host": parts.hostname}, {"sni_hostname": parts.hostname}
            if ask.body:
                headers["content-type"] = "application/json"
            if ask.is_identified and ask.expected.members:
                headers["authorization"] = (
                    f"Bearer {tokens[ask.expected.members, parts.hostname or '']}"
                )
            at = f"{parts.scheme or 'http'}://127.0.0.1:{rehearsed.port(ask)}"
            url = at + parts._replace(scheme="", netloc="").geturl()
            async with turns:
                answer = await clients[parts.hostname].request(
                    ask.method, url, headers=headers, content=ask.body, extensions=extensions
                )
            return ask, Seen(answer.status_code, answer.headers)

        return await asyncio.gather(*(one(ask) for ask in wanted))


def problems(run: Mapping[str, Any], home: Home) -> tuple[int, list[str]]:
    """How many requests were sent, and what is wrong with their answers.

    `run` is the JSON document of the environment's rehearsal in the home, which the command line
    has to use as well: it gives the callers' identities.
    """
    plan = routing.plan(run["environment"])
    wanted = asks(plan)
    guarded = {
        (one.expected.members, urlsplit(one.url).hostname or "")
        for one in wanted
        if one.expected.members
    }
    tokens = {
        (members, host): identity.token(members, host, real=False, file=None, email=None)
        for members, host in guarded
    }
    missed = [f"{name}: nothing is asked of it" for name in unclaimed(plan, wanted)]
    answered = asyncio.run(send(wanted, Rehearsed(plan, home, run), tokens))
    found = [problem for ask, seen in answered if (problem := wrong(ask, seen))]
    return len(answered), [*missed, *found]
