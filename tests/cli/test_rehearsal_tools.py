"""A rehearsal downloads or builds what its environment needs, and no more."""

from pathlib import Path

import pytest

from cli.commands import rehearse
from sandbox import engine
from sandbox.engine import build, pulumi_cli, tools


@pytest.mark.parametrize(
    ("environment", "needed"),
    [
        ("dev", [engine.prometheus]),
        ("stage", [engine.prometheus, engine.keda, engine.postgres_operator]),
    ],
)
def test_an_environment_needs_the_operators_of_its_models(
    environment: str, needed: list[object]
) -> None:
    assert rehearse._operators(environment) == needed


def test_what_every_environment_needs_has_no_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ensure(tool_set: build.ToolSet, _: engine.Progress) -> Path:
        asked.append(tool_set.name)
        return Path(tool_set.name)

    monkeypatch.setattr(tools, "ensure", ensure)
    monkeypatch.setattr(
        pulumi_cli, "ensure", lambda _: pulumi_cli.PulumiCli(Path("pulumi"), Path("host"))
    )
    engine.ensure()
    assert asked == ["kubernetes", "gateway-api"]
