"""A rehearsal downloads or builds what its environment needs, and no more."""

from pathlib import Path

import pytest

from cli.commands import rehearse
from declared import ROOT
from gkeplatform.environment import environments
from sandbox import engine
from sandbox.engine import build, pulumi_cli, tools
from tests.inventory import golden_files


@pytest.mark.parametrize(
    ("environment", "needed"),
    [
        ("dev", [engine.prometheus]),
        (
            "stage",
            [
                engine.prometheus,
                engine.keda,
                engine.postgres_operator,
                engine.inference_gateway,
            ],
        ),
    ],
)
def test_an_environment_needs_the_operators_of_its_models(
    environment: str, needed: list[object]
) -> None:
    assert rehearse._operators(environment) == needed


@pytest.mark.parametrize("environment", environments(ROOT))
def test_the_expected_cluster_is_the_one_that_the_program_declares(environment: str) -> None:
    values = golden_files.load(environment, "cluster")
    cluster = values["gcp:container/cluster:Cluster"]["main"]
    subnets = values["gcp:compute/subnetwork:Subnetwork"].values()
    (subnet,) = [one for one in subnets if "secondaryIpRanges" in one]
    ranges = {one["rangeName"]: one["ipCidrRange"] for one in subnet["secondaryIpRanges"]}
    found = rehearse._cluster(environment)
    assert found is not None
    assert (found.name, found.location) == (cluster["name"], cluster["location"])
    assert found.service_cidr == ranges[cluster["ipAllocationPolicy"]["servicesSecondaryRangeName"]]


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
