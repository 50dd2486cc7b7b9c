"""What a running Envoy says of its configuration, from its administration port."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import msgspec

from sandbox.gcp.store import Json

_FILTER = r"[lc]ds\.update_attempt$|update_rejected$|listener_create_failure$"

_WARMING = r"^cluster_manager\.warming_clusters$"


@dataclass(frozen=True, slots=True)
class Updates:
    """How many files Envoy has read since it started, and how many of them it refused."""

    attempts: int
    rejected: int


class EnvoyAdmin:
    """Client of one Envoy."""

    def __init__(self, port: int) -> None:
        self._http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=2, trust_env=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def is_live(self) -> bool:
        """Whether it serves with its first configuration."""
        try:
            return (await self._http.get("/ready")).status_code == 200
        except (httpx.HTTPError, OSError):
            return False

    async def clusters(self) -> Json | None:
        """Its clusters with the health of their hosts; None while it does not answer."""
        try:
            answer = await self._http.get("/clusters", params={"format": "json"})
            found: Json = msgspec.json.decode(answer.content)
        except (httpx.HTTPError, OSError, msgspec.DecodeError):
            return None
        return found

    async def warming(self) -> int:
        """How many new clusters wait for their endpoints or health checks; 0 without an answer."""
        query = {"format": "json", "filter": _WARMING}
        try:
            answer = await self._http.get("/stats", params=query)
            stats = msgspec.json.decode(answer.content)["stats"]
        except (httpx.HTTPError, OSError, msgspec.DecodeError, KeyError):
            return 0
        return sum(int(one["value"]) for one in stats if "value" in one)

    async def updates(self) -> Updates | None:
        """The counters of updates; None while it does not answer."""
        try:
            answer = await self._http.get("/stats", params={"format": "json", "filter": _FILTER})
            stats = msgspec.json.decode(answer.content)["stats"]
        except (httpx.HTTPError, OSError, msgspec.DecodeError, KeyError):
            return None
        counters = {one["name"]: int(one["value"]) for one in stats if "value" in one}
        return Updates(
            attempts=sum(v for name, v in counters.items() if name.endswith("update_attempt")),
            rejected=sum(
                v
                for name, v in counters.items()
                if name.endswith(("update_rejected", "listener_create_failure"))
            ),
        )
