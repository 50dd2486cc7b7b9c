"""In which order a change reaches the environments."""

from pathlib import Path

import pytest

from declared import ROOT
from gkeplatform import promotion
from gkeplatform.errors import PlatformError


def checkout(root: Path, **sources: str | None) -> Path:
    (root / "stacks").mkdir()
    for name, source in sources.items():
        line = f"  platform:promoted_from: {source}\n" if source else ""
        text = f"config:\n  platform:system: acme\n{line}"
        (root / "stacks" / f"Pulumi.{name}.yaml").write_text(text)
    return root


def test_the_repository_s_own() -> None:
    assert promotion.order(ROOT) == ["dev", "stage", "prod"]


def test_an_environment_comes_after_the_one_that_it_is_promoted_from(tmp_path: Path) -> None:
    root = checkout(tmp_path, alpha="qa", prod="stage", qa=None, stage="qa")
    order = promotion.order(root)
    assert sorted(order) == ["alpha", "prod", "qa", "stage"]
    assert order[0] == "qa"
    assert order.index("stage") < order.index("prod")


def test_a_key_that_names_no_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r'^stacks/Pulumi\.prod\.yaml: .* "stag"; did you mean'):
        promotion.order(checkout(tmp_path, prod="stag", stage=None))


def test_a_cycle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r"a cycle of environments: .* -> "):
        promotion.order(checkout(tmp_path, prod="stage", stage="prod"))
