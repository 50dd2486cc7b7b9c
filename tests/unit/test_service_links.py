"""No pod that the platform declares gets the variables of Services."""

import pytest

from tests.environment_runs import environment_run


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_every_declared_pod_goes_without_service_links(environment: str) -> None:
    found = {
        name: inputs["spec"]["template"]["spec"].get("enableServiceLinks")
        for (kind, name), inputs in environment_run(environment)["serving"].inputs.items()
        if kind in ("kubernetes:apps/v1:Deployment", "kubernetes:apps/v1:StatefulSet")
    }
    assert len(found) > 5
    assert set(found.values()) == {False}, found
