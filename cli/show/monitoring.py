"""The Prometheus API of Cloud Monitoring: that of the account, or of the running sandbox."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from cli import alerting
from cli.errors import CliError
from cli.show import traffic
from cli.show.traffic import Measured, Series
from sandbox import lifecycle

_PATH = "v1/projects/{}/location/global/prometheus/api/v1/query"
_REAL, _REHEARSED = 300, 60
"""Seconds that rates are of. In the account a minute's value may come 4 minutes late:
https://cloud.google.com/monitoring/api/metrics_gcp_i_o#gcp-loadbalancing. The sandbox has one each
10 s."""
_TOKEN_SECONDS = 1800
"""How long an access token is used; it is valid for an hour."""


class Monitoring:
    """The series of one Google Cloud project."""

    def __init__(self, project: str, *, real: bool) -> None:
        self._project, self._real = project, real
        self._token, self._token_at = "", 0.0

    def measured(self, prefix: str, several: Mapping[str, Sequence[str]]) -> Measured:
        """What the load balancer measured of an environment. Raises CliError."""
        seconds = _REAL if self._real else _REHEARSED
        named = traffic.queries(prefix, seconds, several)
        ask = self._asked()
        with ThreadPoolExecutor(len(named)) as pool:
            answers = list(pool.map(ask, (query for _, query in named)))
        names = (name for name, _ in named)
        return traffic.measured(seconds, zip(names, answers, strict=True))

    def _asked(self) -> Callable[[str], list[Series]]:
        """A function that asks one query."""
        if self._real:
            url = f"{alerting.MONITORING.removesuffix('v3')}{_PATH.format(self._project)}"
            headers = {"Authorization": f"Bearer {self._access_token()}"}
        else:
            home = lifecycle.Home.default()
            port = alerting.record(home)["port"]
            url = f"http://127.0.0.1:{port}/monitoring/{_PATH.format(self._project)}"
            headers = {"Authorization": f"Bearer {home.token.read_text().strip()}"}

        def ask(query: str) -> list[Series]:
            answer = alerting.ask(url, headers, {"query": query})
            try:
                return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise CliError(
                    f"{urlsplit(url).netloc}: the answer to a query has another form: {error!r}"
                ) from None

        return ask

    def _access_token(self) -> str:
        if not self._token or time.monotonic() - self._token_at > _TOKEN_SECONDS:
            self._token, self._token_at = alerting.access_token(), time.monotonic()
        return self._token
