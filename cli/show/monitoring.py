"""The Prometheus API of Cloud Monitoring: that of the account, or of the running sandbox."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlsplit

from cli import alerting
from cli.console import say
from cli.errors import CliError
from cli.show import adapters, traffic
from cli.show.traffic import Measured, Series
from sandbox import lifecycle

_PATH = "v1/projects/{}/location/global/prometheus/api/v1/query"
_REAL, _REHEARSED = 300, 60
"""Seconds that rates are of. In the account a minute's value may come 4 minutes late:
https://cloud.google.com/monitoring/api/metrics_gcp_i_o#gcp-loadbalancing. The sandbox has one each
10 s."""
_PATIENCE, _PAUSE = 60.0, 1.0
"""Seconds that a first answer is waited for, and between two questions. In a rehearsal Prometheus
starts while the first layers are deployed."""
_TOKEN_SECONDS = 1800
"""How long an access token is used; it is valid for an hour."""


class Monitoring:
    """The series of one Google Cloud project."""

    def __init__(self, project: str, *, real: bool) -> None:
        self._project, self._real = project, real
        self._token, self._token_at = "", 0.0
        self._waits = True

    def measured(
        self, prefix: str, several: Mapping[str, Sequence[str]], *, asked: str = ""
    ) -> Measured:
        """What the load balancer measured of an environment. Raises CliError.

        `asked` is the query for LoRA adapters, where models have some.

        The first time it waits for a Prometheus that does not answer yet, and says so.
        """
        seconds = _REAL if self._real else _REHEARSED
        named = traffic.queries(prefix, seconds, several)
        answers = self._answers([*(query for _, query in named), *([asked] if asked else [])])
        names = [name for name, _ in named]
        found = traffic.measured(seconds, zip(names, answers[: len(names)], strict=True))
        return replace(found, adapters=adapters.asked(answers[-1])) if asked else found

    def _answers(self, queries: Sequence[str]) -> list[list[Series]]:
        ask = self._asked()
        waits, self._waits = self._waits, False
        deadline = time.monotonic() + _PATIENCE
        is_said = False
        while True:
            try:
                with ThreadPoolExecutor(len(queries)) as pool:
                    return list(pool.map(ask, queries))
            except alerting.UnavailableError as error:
                if not waits or time.monotonic() > deadline:
                    raise
                if not is_said:
                    say(f"waiting for the requests' figures, {_PATIENCE:.0f} s at most: {error}")
                    is_said = True
                time.sleep(_PAUSE)

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
