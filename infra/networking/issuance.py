"""Waits until Google has issued a certificate that replaces another one.

The old certificate serves until the new one can; if Google does not issue it in time, the update
fails and the old one still serves. The first certificate is not waited for, unless classic ones
serve, which a certificate map replaces at once. This works only with
DNS authorization, which needs no load balancer.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pulumi
from pulumi_gcp import certificatemanager

from gkeplatform.errors import PlatformError
from infra.networking.certificate_plan import generations

POLL_SECONDS = 5.0

States = Callable[[], Awaitable[dict[str, str]]]
"""The state of every managed certificate, by physical name."""


async def issued(
    name: str, states: States, *, wait_seconds: float, is_takeover: bool = False
) -> None:
    """Returns when `name` is ACTIVE or replaces none; `PlatformError` after `wait_seconds`.

    `is_takeover`: it replaces classic certificates.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        found = await states()
        older = [one for one in generations(name, found) if found[one] == "ACTIVE"]
        if found.get(name) == "ACTIVE" or not (older or is_takeover):
            return
        if time.monotonic() >= deadline:
            serves = f"{older[0]} still serves" if older else "the former ones still serve"
            raise PlatformError(
                f"certificate {name} is {found.get(name, 'absent')} after {wait_seconds:.0f} "
                f"seconds; {serves}. Google issues it once the records of its DNS "
                "authorizations resolve: see the layer's output `records`, then run the update "
                "again"
            )
        await asyncio.sleep(POLL_SECONDS)


def states(provider: pulumi.ProviderResource) -> States:
    """Reads the states from Certificate Manager."""

    async def look() -> dict[str, str]:
        options = pulumi.InvokeOptions(provider=provider)
        answer = certificatemanager.get_certificates_output(opts=options)
        found = await answer.certificates.future()
        return {
            one.name.rpartition("/")[2]: one.manageds[0].state
            for one in found or ()
            if one.manageds
        }

    return look


def awaited(
    certificate: certificatemanager.Certificate,
    look: States,
    *,
    wait_seconds: float,
    is_takeover: bool = False,
) -> pulumi.Output[str]:
    """The certificate's id, once it can replace the old one."""

    async def wait(known: list[str]) -> str:
        name, id_ = known
        if not pulumi.runtime.is_dry_run():
            try:
                await issued(name, look, wait_seconds=wait_seconds, is_takeover=is_takeover)
            except PlatformError as error:
                # In an output, only RunError is shown without a traceback.
                raise pulumi.RunError(str(error)) from None
        return id_

    return pulumi.Output.all(certificate.name, certificate.id).apply(wait)
