"""What features that no committed environment has would declare: differences from one that has not.

`pytest tests/inventory --update-inventory` rewrites `golden/scenarios`; the diff is the review.
"""

from collections.abc import Mapping
from types import MappingProxyType

import pytest
import yaml

from declared import run_environment
from tests.inventory import golden_files
from tests.inventory.test_inventory import inventory
from tests.unit import callers_of_stage

SCENARIOS: Mapping[str, tuple[str, str, dict[str, str]]] = MappingProxyType(
    {"callers": ("stage", "serving", callers_of_stage.edits(callers_of_stage.TWO))}
)
"""Environment, layer, and the keys that are edited, by the scenario's name."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_declares_its_golden_difference(name: str, is_updating: bool) -> None:
    environment, layer, edits = SCENARIOS[name]
    declared = inventory(run_environment(environment, edits)[layer])
    found = golden_files.difference(golden_files.load(environment, layer), declared)
    file = golden_files.FOLDER / "scenarios" / f"{name}.yaml"
    if is_updating:
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump({"base": environment, **found}, width=100))
    assert yaml.safe_load(file.read_text()) == {"base": environment, **found}
