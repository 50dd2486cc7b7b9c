"""The policy pack passes on what every layer declares in every environment."""

from datetime import UTC, datetime

import pytest

from declared import ROOT, run_environment
from gkeplatform.environment import environments
from gkeplatform.layers import LAYERS
from policies.check import Report, judge, pack_for
from policies.reports.as_text import render


@pytest.mark.parametrize("environment", environments(ROOT))
def test_nothing_that_stops_is_found(environment: str) -> None:
    pack = pack_for(environment, root=ROOT, today=datetime.now(UTC).date())
    declared = run_environment(environment)
    report = Report()
    for layer in LAYERS:
        resources = declared[layer.name].resources(environment, layer.project)
        report.add(judge(resources, pack, environment=environment, layer=layer.name))
    assert report.resources > 100
    assert report.is_clean, render(report)
