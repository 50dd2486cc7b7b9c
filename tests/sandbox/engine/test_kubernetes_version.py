"""The Kubernetes version is pinned in one go.mod; everything else follows it."""

import re

import pytest

from policies.cluster_version import ClusterVersion
from policies.rules import pod_security, pod_security_restricted
from sandbox.engine import build
from sandbox.gcp.services.container import versions

PINNED = build.version(build.KUBERNETES, "k8s.io/kubernetes").removeprefix("v")
MAJOR, MINOR, PATCH = PINNED.split(".")


def test_the_emulated_api_offers_the_version_that_runs() -> None:
    assert {version.partition("-gke.")[0] for version in versions.OWN} == {PINNED}
    assert set(versions.OWN) < set(versions.ALL)


def test_the_binaries_report_the_version_that_is_built() -> None:
    prefix = "k8s.io/component-base/version."
    variables = build.KUBERNETES.variables
    assert variables[f"{prefix}gitMajor"] == MAJOR
    assert variables[f"{prefix}gitMinor"] == MINOR


@pytest.mark.parametrize("module", ["k8s.io/component-base", "k8s.io/apiserver"])
def test_the_libraries_are_of_the_same_release(module: str) -> None:
    assert build.version(build.KUBERNETES, module) == f"v0.{MINOR}.{PATCH}"


def test_the_rules_are_for_the_version_that_runs() -> None:
    assert ClusterVersion().kubernetes == f"{MAJOR}.{MINOR}"
    for module in (pod_security, pod_security_restricted):
        assert re.findall(r"as of Kubernetes (\S+)\)", module.__doc__ or "") == [f"{MAJOR}.{MINOR}"]
