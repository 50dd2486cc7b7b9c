"""What `platformctl routes` foretells of random stack files is what Envoy does."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gkeplatform.errors import PlatformError
from infra import planned_routes, stack_file
from infra.networking.config import NetworkingConfig
from infra.networking.url_map.document import DEFAULT
from infra.networking.url_map.lookup import LoadBalancer
from tests.sandbox.traffic.load_balancer.rig import SERVERS, Rig
from tests.unit.entries import BASE

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load_balancer")]

_PATHS = ["/v1/models/{}", "/{}", "/v1/models/{}/old", "/v1/models", "/a/b", "/A"]
_ASKED = [
    "/", "/v1/models", "/v1/models/", "/v1/models/m0", "/v1/models/m0:predict", "/m0:predict",
    "/v1/models/m0/metadata", "/v1/models/m1/versions/2:classify", "/v1/models/m0:unknown",
    "/V1/models/m0", "/v1/models/m01", "/m1/x?y=1&z=%2F", "/m2", "/v1/models/m1/old:predict",
    "/a/b/c", "/a/b:predict", "/A", "/a", "/v1/models/m2/old/x", "/m0//x",
]  # fmt: skip
_HOSTS = ["a.example", "b.example"]


@st.composite
def models(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to three models behind the load balancer: one server is left for the static files."""
    found = []
    for number in range(draw(st.integers(1, SERVERS - 1))):
        name = f"m{number}"
        drawn = draw(st.lists(st.sampled_from(_PATHS), min_size=1, max_size=3, unique=True))
        paths = [one.format(name) for one in drawn]
        hosts = draw(st.lists(st.sampled_from(_HOSTS), max_size=2, unique=True))
        rewritten = draw(st.lists(st.sampled_from(paths), max_size=1))
        rewrites = {one: f"/v1/models/{name}" for one in rewritten if not one.startswith("/v1")}
        exposure: dict[str, Any] = {"kind": "http-load-balancer", "paths": paths, "hosts": hosts}
        exposure |= {"rewrites": rewrites} if rewrites else {}
        source = f"gs://acme-ml-dev-models/{name}"
        found.append({**BASE, "name": name, "source": source, "exposure": exposure})
    return found


def planned(entries: list[dict[str, Any]]) -> LoadBalancer | None:
    """The load balancer of these models; None where the stack file is refused."""
    domains = [{"name": one} for one in _HOSTS]
    values = {
        "gke-serving:models": json.dumps(entries),
        "gke-networking:domains": json.dumps(domains),
    }
    try:
        found = stack_file.read(values, file="f", tests=False)
    except PlatformError:
        return None
    assert found.serving
    return planned_routes.planned(found.serving, found.networking or NetworkingConfig())


def linked(value: Any, links: dict[str, str]) -> Any:
    """The URL map with links in place of versions."""
    if isinstance(value, dict):
        return {key: linked(one, links) for key, one in value.items()}
    if isinstance(value, list):
        return [linked(one, links) for one in value]
    return links.get(value, value) if isinstance(value, str) else value


def test_a_url_goes_where_routes_says(rig: Rig) -> None:
    prefix = "https://www.googleapis.com/compute/v1/projects/p/global/backendServices/s"
    for number in range(SERVERS):
        rig.service(f"s{number}", number)
    links = {f"m{number}": f"{prefix}{number}" for number in range(SERVERS - 1)}
    links[DEFAULT] = f"{prefix}{SERVERS - 1}"
    urls = st.builds(
        lambda host, path: f"http://{host}{path}",
        st.sampled_from([*_HOSTS, "A.example", "b.example:8080", "other.test"]),
        st.sampled_from(_ASKED),
    )
    reached: set[str | None] = set()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(models(), st.lists(urls, min_size=12, max_size=12))
    def agree(entries: list[dict[str, Any]], wanted: list[str]) -> None:
        load_balancer = planned(entries)
        assume(load_balancer is not None)
        assert load_balancer is not None
        rig.url_map(**linked(load_balancer.url_map, links))
        for url in wanted:
            parts = urlsplit(url)
            path = f"{parts.path}{f'?{parts.query}' if parts.query else ''}"
            told = rig.get(path, host=parts.netloc).json()
            foretold = load_balancer.find(url)
            served = links[foretold.model or DEFAULT].removeprefix(prefix)
            assert str(told["server"]) == served, url
            assert told["path"] == (foretold.path if foretold.model else path), url
            reached.add(foretold.model)

    agree()
    assert {"m0", "m1", None} <= reached
