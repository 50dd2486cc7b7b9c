"""The page of an environment: what it says, that it asks for nothing, and that it escapes text."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

from cli.show import page
from cli.show.adapters import Adapter, Adapters
from cli.show.cluster import Amounts
from cli.show.google_console import GoogleConsole
from cli.show.traffic import Traffic
from tests.cli.show.pictures import picture, troubled

MARKUP = "<b onmouseover=alert(1)>&\"'</b><script>alert(2)</script>"


class Read(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._hidden = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._hidden = tag in {"style", "script"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def read(count: int = 2, text: str = "") -> Read:
    return Read(page.html(picture(count, text), root=".."))


def test_the_page_says_what_the_environment_is_made_of() -> None:
    found = read()
    words = " ".join(found.text.split())
    for part in (
        "2, 6 of 6 replicas ready",
        "acme-ml-dev-model-0000 95 %",
        "acme-ml-dev-model-0000-canary 5 %",
        "/v1/models/model-0001 /* :predict on any host",
        "budget of model-0000-canary: 1 healthy, 1 wanted, 0 may be evicted",
        "45 resources, updated 2026-11-27 07:51 UTC",
        "not deployed",
        "1 nodes of 1 to 4",
        "14 of 28 GiB",
    ):
        assert part in words
    assert {one["aria-label"] for one in found.all("meter")} == {
        "CPU: 4 of 7.91 cores requested",
        "Memory: 14 of 28 GiB requested",
    }
    assert sum("pod" in (one.get("class") or "").split() for one in found.all("span")) == 6


BUSY = Traffic(rate=17.3, errors=0.25, in_flight=1.5, p50=4.2, p99=61.7)
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
"""One that is no part of a name."""


def figures(value: object) -> Iterator[str]:
    """The numbers of a document as the page may write them, those in texts and of lengths too."""
    match value:
        case dict():
            for one in value.values():
                yield from figures(one)
        case list() | tuple():
            yield str(len(value))
            for one in value:
                yield from figures(one)
        case int() | float():
            yield from (str(value), f"{value:.4g}", f"{value:.1f}", f"{value / 2**30:.4g}")
        case str():
            yield from NUMBER.findall(value)
            with contextlib.suppress(ValueError):
                moment = datetime.fromisoformat(value).astimezone(UTC)
                yield from NUMBER.findall(f"{moment:%Y %m %d %H %M}")


def test_every_figure_of_the_page_is_in_the_document() -> None:
    quiet = picture()
    (first, *others), (pool,) = quiet.models, quiet.pools
    busy = replace(
        quiet,
        models=(replace(first, traffic=BUSY), *others),
        pools=(replace(pool, requested=Amounts(5.123456, 13_958_643_712)),),
    )
    seen: set[str] = set()
    for one in (quiet, busy, troubled(busy), picture(13)):
        known = set(figures(page.described(one)))
        for name, part in page.parts(one, root="..").items():
            if name != "courses":  # the numbers of its axes are the chart's own
                shown = set(NUMBER.findall(Read(part).text))
                assert shown <= known, (name, shown - known)
                seen |= shown
    assert seen >= {"17.3", "0.25", "1.5", "61.7", "5.123", "13", "45", "28", "95"}


def test_a_figure_that_the_document_has_not_is_noticed() -> None:
    known = set(figures(page.described(picture())))
    assert "6" in known
    assert not {"7777", "3.25"} & known


def test_what_fires_comes_first_and_is_counted() -> None:
    assert [one.state for one in page.alerts(picture())] == ["firing", "quiet", "quiet"]
    assert page.counts(picture()).firing == 1


def test_sources_are_linked_by_file_and_line() -> None:
    links = {one["href"] for one in read().all("a")}
    assert "../stacks/Pulumi.dev.yaml#L48" in links
    assert "../infra/cluster/__main__.py" in links
    inside = {link[1:] for link in links if link and link.startswith("#")}
    assert inside <= {one.get("id") for _, one in read().elements}


def test_a_real_environment_links_to_the_console_and_a_rehearsed_one_does_not() -> None:
    console = GoogleConsole(project="acme-ml", location="europe-west4", cluster="main")
    of = picture(1)
    version = replace(
        of.models[0].versions[0],
        console=console.deployment("models", "model-0000"),
        backend_console=console.backend_service("acme-ml-dev-model-0000"),
    )
    of = replace(
        of,
        models=(replace(of.models[0], versions=(version,)),),
        pools=(replace(of.pools[0], console=console.node_pool("serving")),),
        console=console.alerts(),
    )
    links = {one["href"] for one in Read(page.html(of, root="..")).all("a")}
    start = "https://console.cloud.google.com"
    assert {link for link in links if link and link.startswith("https:")} == {
        f"{start}/kubernetes/deployment/europe-west4/main/models/model-0000/overview"
        "?project=acme-ml",
        f"{start}/kubernetes/nodepool/europe-west4/main/serving?project=acme-ml",
        f"{start}/net-services/loadbalancing/backends/details/backendService/"
        "acme-ml-dev-model-0000?project=acme-ml",
        f"{start}/monitoring/alerting?project=acme-ml",
    }
    rehearsed = GoogleConsole()
    assert not any([rehearsed.alerts(), rehearsed.node_pool("a"), rehearsed.deployment("a", "b")])
    assert "console" not in page.html(picture(), root="..")


def test_the_page_asks_for_nothing() -> None:
    found = read()
    assert not {"link", "img", "iframe"} & {tag for tag, _ in found.elements}
    assert not any(one.get("src") for _, one in found.elements)
    assert not re.search(r"url\(|@import", page.html(picture(), root=".."))


def test_markup_in_any_free_text_stays_text() -> None:
    plain, found = read(), read(text=MARKUP)
    assert [tag for tag, _ in found.elements] == [tag for tag, _ in plain.elements]
    assert found.text.count(MARKUP) >= 15
    assert not any("onmouseover" in one for _, one in found.elements)


def test_a_thousand_models_are_folded_and_below_two_megabytes() -> None:
    of = picture(1000)
    console = GoogleConsole(project="acme-ml-production", location="europe-west4", cluster="main")
    address = console.deployment("models", "model-0000")
    models = [
        replace(
            one,
            versions=tuple(
                replace(version, console=address, backend_console=address)
                for version in one.versions
            ),
        )
        for one in of.models
    ]
    text = page.html(replace(of, models=tuple(models)), root="..")
    assert len(text.encode()) < 2_000_000
    found = Read(text)
    assert not any("open" in one for one in found.all("details"))
    assert any(one.get("id") == "filter" for one in found.all("input"))


def test_headings_go_down_one_level_at_a_time_and_ids_are_unique() -> None:
    found = read()
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    ids = [one["id"] for _, one in found.elements if "id" in one]
    assert len(ids) == len(set(ids))


def test_adapters_are_told_where_a_model_takes_some() -> None:
    of = picture(1)
    listed = (Adapter(name=f"sql{MARKUP}", pods=1), Adapter(name="idle", pods=0))
    own = Adapters(fit=1, listed=listed, crowded=2)
    told = Read(page.html(replace(of, models=(replace(of.models[0], adapters=own),)), root=".."))
    words = " ".join(told.text.split())
    assert f"requests for adapters, by pods: sql{MARKUP} 1; 2 crowded" in words
    assert not [one for _, one in told.elements if "onmouseover" in one]
    quiet = Adapters(fit=1, listed=listed[1:], crowded=0)
    told = Read(page.html(replace(of, models=(replace(of.models[0], adapters=quiet),)), root=".."))
    assert "requests for adapters, by pods: none" in " ".join(told.text.split())
    assert "adapters" not in Read(page.html(of, root="..")).text
