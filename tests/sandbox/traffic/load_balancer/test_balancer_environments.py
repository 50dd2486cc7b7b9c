"""Envoy takes the configuration of our own environments, and all but little is carried out."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.traffic.load_balancer.configuration import configure
from sandbox.traffic.load_balancer.surroundings import Surroundings
from tests.sandbox.traffic.load_balancer.environments import snapshot
from tests.sandbox.traffic.load_balancer.key_pairs import key_pair
from tests.sandbox.traffic.load_balancer.static import complaints

KNOWN = {
    # Longer answers than the draining timeout are not cut.
    "connectionDraining.drainingTimeoutSec",
    "adaptiveProtectionConfig",
    "rules[6].rateLimitOptions.banDurationSec",
}


@pytest.mark.slow
@pytest.mark.xdist_group("load_balancer")
@pytest.mark.parametrize("environment", ["dev", "stage", "prod"])
def test_envoy_takes_an_environment_s_configuration(environment: str, tmp_path: Path) -> None:
    documents = snapshot(environment)
    rules = [key for key in documents if "/forwardingRules/" in key]
    pair = key_pair(tmp_path, "a.example")
    surroundings = Surroundings(
        folder=tmp_path,
        frontends={rule: 9000 + turn for turn, rule in enumerate(rules)},
        certificate=lambda _: pair,
        storage=8080,
        cdn=8081,
        access_log=tmp_path / "access.log",
        health_log=tmp_path / "health.log",
    )
    configuration = configure(documents, surroundings)
    assert complaints(configuration, tmp_path) == ""
    assert len(rules) == 2
    assert {one.field for one in configuration.unsupported} <= KNOWN
