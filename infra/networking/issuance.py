"""Waits until Google has issued a certificate that replaces another one.

The old certificate serves until the new one can, be it the same with other domains, or one of
another name for the same host; if Google does not issue the new one in time, the update fails and
the old one still serves. The first certificate is not waited for, unless classic ones serve, which
a certificate map replaces at once. This works only with DNS authorization, which needs no load
balancer; for the other one see `unissued.py`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import pulumi
from pulumi_gcp import certificatemanager

from gkeplatform.errors import PlatformError
from gkeplatform.hosts import covers
from gkeplatform.lookups import existing
from infra.networking.certificate_plan import generations

POLL_SECONDS = 5.0

ACTIVE = "ACTIVE"


@dataclass(frozen=True, slots=True)
class Found:
    """A certificate as Google has it."""

    state: str
    """ACTIVE once it can serve, which one of the user's own always is."""
    domains: tuple[str, ...] = ()


States = Callable[[], Awaitable[Mapping[str, Found]]]
"""Every certificate of the project, by physical name."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What a new certificate is waited for."""

    hosts: tuple[str, ...]
    """Those that it serves."""
    of: str
    """Beginning of the physical names of this environment's certificates."""
    seconds: float
    is_takeover: bool = False
    """Whether it replaces classic certificates."""


async def issued(name: str, states: States, wait: Wait) -> None:
    """Returns when `name` is ACTIVE or replaces none; `PlatformError` after `wait.seconds`."""
    deadline = time.monotonic() + wait.seconds
    while True:
        found = await states()
        older = _serving(name, found, wait)
        state = found[name].state if name in found else "absent"
        if state == ACTIVE or not (older or wait.is_takeover):
            return
        if time.monotonic() >= deadline:
            serves = f"{older[0]} still serves" if older else "the former ones still serve"
            raise PlatformError(
                f"certificate {name} is {state} after {wait.seconds:.0f} "
                f"seconds; {serves}. Google issues it once the records of its DNS "
                "authorizations resolve: see the layer's output `records`, then run the update "
                "again"
            )
        await asyncio.sleep(POLL_SECONDS)


def _serving(name: str, found: Mapping[str, Found], wait: Wait) -> list[str]:
    """Other certificates that can serve what this one is for: its own former ones first."""
    former = generations(name, found)
    others = able(found, of=wait.of, hosts=wait.hosts)
    return [
        *(one for one in former if found[one].state == ACTIVE),
        *(one for one in others if one not in {name, *former}),
    ]


def able(found: Mapping[str, Found], *, of: str, hosts: Collection[str]) -> list[str]:
    """The certificates whose names begin with `of` that can serve any of the hosts."""
    return [
        name
        for name, one in found.items()
        if name.startswith(of)
        and one.state == ACTIVE
        and any(covers(pattern, host) for pattern in one.domains for host in hosts)
    ]


def states(provider: pulumi.ProviderResource) -> States:
    """Reads the states from Certificate Manager."""

    async def look() -> dict[str, Found]:
        options = pulumi.InvokeOptions(provider=provider)
        answer = certificatemanager.get_certificates_output(opts=options)
        return _found(await answer.certificates.future() or ())

    return look


def states_now(provider: pulumi.ProviderResource) -> Callable[[], Mapping[str, Found]]:
    """The same, before anything is declared."""

    def look() -> dict[str, Found]:
        get = certificatemanager.get_certificates
        answer = existing(get, "certificates of Certificate Manager", provider)
        return _found(answer.certificates if answer else ())

    return look


def _found(
    certificates: Iterable[certificatemanager.outputs.GetCertificatesCertificateResult],
) -> dict[str, Found]:
    return {
        one.name.rpartition("/")[2]: Found(
            one.manageds[0].state if one.manageds else ACTIVE, tuple(one.san_dnsnames or ())
        )
        for one in certificates
    }


def awaited(
    certificate: certificatemanager.Certificate, look: States, wait: Wait
) -> pulumi.Output[str]:
    """The certificate's id, once it can replace the old one."""

    async def ready(known: list[str]) -> str:
        name, id_ = known
        if not pulumi.runtime.is_dry_run():
            try:
                await issued(name, look, wait)
            except PlatformError as error:
                # In an output, only RunError is shown without a traceback.
                raise pulumi.RunError(str(error)) from None
        return id_

    return pulumi.Output.all(certificate.name, certificate.id).apply(ready)
