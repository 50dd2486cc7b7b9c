"""`platformctl top`: its rows, its tables, and that both say the same."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli.app import application
from cli.errors import CliError, Exit
from cli.show import reading
from cli.show.adapters import Adapter, Adapters
from cli.show.cluster import Amounts
from cli.show.picture import Picture
from cli.show.traffic import Traffic
from cli.top import figures, table, watching
from tests.cli.show.pictures import picture

BUSY = Traffic(rate=12.5, errors=0.125, in_flight=1.75, p50=8.25, p99=96.5)


def busy(count: int = 2, text: str = "") -> Picture:
    """A picture whose last model has requests."""
    found = picture(count, text)
    return replace(
        found, seconds=60, models=(*found.models[:-1], replace(found.models[-1], traffic=BUSY))
    )


def shown(of: Picture, **options: Any) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(table.whole(figures.of_picture(of), "10:00:00 UTC", **options))
    printed: str = console.file.getvalue()  # type: ignore[attr-defined]
    return printed


def line(text: str, name: str) -> list[str]:
    return next(one for one in text.splitlines() if one.startswith(name)).split()


def test_the_busiest_model_is_first_unless_another_needs_a_look() -> None:
    of = busy(3)
    assert figures.of_picture(of).models[0].name == "model-0002"
    short = replace(of.models[1], versions=(replace(of.models[1].versions[0], ready=1),))
    of = replace(of, models=(of.models[0], short, of.models[2]))
    assert [row.name for row in figures.of_picture(of).models][:2] == ["model-0001", "model-0002"]


def test_the_table_has_the_figures_of_the_document() -> None:
    top = figures.of_picture(busy())
    row, text = top.models[0], shown(busy())
    assert row.requests.per_second == BUSY.rate
    assert row.requests.error_share == 0.01
    assert line(text, "model-0001") == (
        ["model-0001", "3/3", "2-4", "12.5", "1.00", "%", "8.25", "96.5", "1.75", "0"]
    )
    assert line(text, "serving") == ["serving", "1", "1-4", "4/7.91", "14/28", "-"]
    assert line(text, "  model-0001-canary")[:4] == ["model-0001-canary", "1/1", "5", "%"]


def test_a_model_that_no_load_balancer_measures_has_no_figures() -> None:
    assert line(shown(busy()), "model-0000")[3:8] == ["-"] * 5
    idle = replace(picture(1), models=(replace(picture(1).models[0], traffic=Traffic()),))
    assert line(shown(idle), "model-0000")[3:8] == ["0", "-", "-", "-", "0"]


def with_adapters(crowded: int = 0) -> Picture:
    """A picture whose last model takes adapters; some text of theirs is markup."""
    of = busy()
    listed = (Adapter(name="sql", pods=0), Adapter(name="[red]x[/red]", pods=2))
    own = Adapters(fit=1, listed=listed, crowded=crowded)
    return replace(of, models=(of.models[0], replace(of.models[1], adapters=own)))


def test_adapters_have_a_column_where_a_model_takes_some() -> None:
    assert "ADAPTERS" not in shown(busy())
    text = shown(with_adapters(crowded=1))
    assert "ADAPTERS" in text
    assert line(text, "model-0001")[10:] == ["[red]x[/red]", "2;", "1", "crowded"]
    assert line(text, "model-0000")[9:] == ["-"]
    assert "crowded" not in shown(with_adapters())
    top = figures.of_picture(with_adapters(crowded=1))
    assert top.models[0].adapters == with_adapters(crowded=1).models[1].adapters


def test_classes_have_a_column_where_a_pool_has_one() -> None:
    of = busy()
    assert "CLASS" not in shown(of)
    own, used = of.pools[0], Amounts(12, 48 * 2**30, 1)
    made = replace(own, name="nap-1", most=None, compute_class="gpus", accelerator="nvidia-l4")
    text = shown(replace(of, pools=(own, replace(made, allocatable=used, requested=used))))
    assert line(text, "serving")[:4] == ["serving", "-", "1", "1-4"]
    assert line(text, "nap-1") == (
        ["nap-1", "gpus", "1", "-", "12/12", "48/48", "1/1", "nvidia-l4"]
    )


def test_what_fires_is_listed() -> None:
    assert "firing CRITICAL  dev-uptime" in shown(busy())
    assert "1 alert fires" in shown(busy())


def test_a_terminal_shows_what_fits_and_says_what_does_not() -> None:
    text = shown(busy(100), height=24)
    assert len(text.splitlines()) <= 24
    assert "more models: --once shows all" in text
    assert "dev-uptime" in text
    assert "model-0042" in shown(busy(100))


def test_markup_in_names_stays_text() -> None:
    assert "dev-uptime[red]x[/red]" in shown(busy(text="[red]x[/red]"))


class Answers:
    """In place of the reader: answers in their order."""

    def __init__(self, *answers: Picture | CliError) -> None:
        self._answers = list(answers)

    def __call__(self, environment: str, **_: bool) -> Answers:
        return self

    def picture(self) -> Picture:
        found = self._answers.pop(0)
        if isinstance(found, CliError):
            raise found
        return found


def test_without_a_terminal_one_table_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "Reader", Answers(busy()))
    done = CliRunner().invoke(application(["top"]), ["top", "dev"])
    assert done.exit_code == 0
    assert "model-0001" in done.stdout
    assert "\x1b" not in done.stdout


def test_json_has_every_model_and_every_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "Reader", Answers(busy()))
    done = CliRunner().invoke(application(["top"]), ["top", "dev", "--json"])
    document = json.loads(done.stdout)
    assert document["ok"]
    assert [one["requests"]["p99_ms"] for one in document["models"]] == [96.5, None]
    assert [one["adapters"] for one in document["models"]] == [None, None]
    assert document["pools"][0]["memory"] == 28 * 2**30
    assert document["firing"][0]["name"] == "dev-uptime"


def test_an_environment_that_does_not_answer_is_one_error() -> None:
    done = CliRunner().invoke(application(["top"]), ["top", "nowhere"])
    assert isinstance(done.exception, CliError)
    assert done.exception.code is Exit.USAGE


def test_an_error_while_it_watches_is_shown_above_the_last_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = Answers(busy(), CliError("the cluster has not answered in 60 s"), busy(1))
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LINES", "40")
    with pytest.raises(KeyboardInterrupt):
        watching.watch(lambda: figures.of_picture(answers.picture()), 5, sleep)
    text = capsys.readouterr().out
    assert naps == [5, 5, 5]
    assert "the cluster has not answered in 60 s; asked again in 5 s" in text
    assert text.rindex("the cluster has not answered") < text.rindex("model-0000")
