"""Names, labels and the agreement of contracts."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from declared import Declared
from gkeplatform import planned
from gkeplatform.contracts import ClusterContract, NetworkingContract, ServingContract
from gkeplatform.environment import Environment, environment_of, file_of
from gkeplatform.errors import PlatformError
from gkeplatform.labels import Labels
from gkeplatform.naming import SERVICE_ACCOUNT, Naming
from gkeplatform.stack import read
from infra.environment import agreement
from tests.environment_runs import environment_run

DEV = Environment(
    name="dev",
    project="acme-ml-dev",
    region="europe-west4",
    system="acme-ml",
    labels={"owner": "ml-platform", "layer": "mine"},
)


def test_a_name_is_system_environment_role() -> None:
    assert Naming(DEV).of("cluster") == "acme-ml-dev-cluster"


def test_a_name_too_long_is_refused_before_google_refuses_it() -> None:
    with pytest.raises(PlatformError, match="has 31 characters, and 30 are allowed: shorten"):
        Naming(DEV).of("x" * 19, longest=SERVICE_ACCOUNT)


@pytest.mark.parametrize("role", ["Upper", "under_score", "ends-", "dots.in", ""])
def test_an_ill_formed_name_is_refused(role: str) -> None:
    with pytest.raises(PlatformError, match="is invalid: use lower-case"):
        Naming(DEV).of(role)


@given(st.text(max_size=70))
def test_whatever_the_role_the_name_is_one_that_google_takes_or_refused(role: str) -> None:
    try:
        name = Naming(DEV).of(role)
    except PlatformError:
        return
    assert len(name) <= 63
    assert name.isascii()
    assert name == name.lower()


def test_the_platform_s_labels_win_over_the_stack_file_s() -> None:
    labels = Labels(DEV, "cluster").google(pool="general")
    assert labels == {
        "owner": "ml-platform",
        "pool": "general",
        "system": "acme-ml",
        "environment": "dev",
        "layer": "cluster",
        "managed-by": "pulumi",
    }


def test_kubernetes_objects_bear_the_recommended_labels() -> None:
    labels = Labels(DEV, "serving").kubernetes(name="resnet", component="model-server")
    assert labels["app.kubernetes.io/name"] == "resnet"
    assert labels["app.kubernetes.io/part-of"] == "acme-ml"
    assert labels["owner"] == "ml-platform"


@pytest.mark.parametrize(("stack", "name"), [("dev", "dev"), ("dev.vision", "dev")])
def test_a_stack_belongs_to_an_environment(stack: str, name: str) -> None:
    assert environment_of(stack) == name
    assert file_of(name) == "stacks/Pulumi.dev.yaml"


@pytest.fixture(scope="module")
def dev() -> dict[str, Declared]:
    return environment_run("dev")


Contracts = tuple[ClusterContract, ServingContract, NetworkingContract]


@pytest.fixture
def contracts(dev: dict[str, Declared]) -> Contracts:
    return (
        read(ClusterContract, dev["cluster"].outputs, environment="dev"),
        read(ServingContract, dev["serving"].outputs, environment="dev"),
        read(NetworkingContract, dev["networking"].outputs, environment="dev"),
    )


def disagreement(contracts: Contracts) -> str:
    with pytest.raises(PlatformError) as raised:
        agreement.agreed("dev", *contracts)
    return str(raised.value)


def test_layers_deployed_in_order_agree(contracts: Contracts) -> None:
    agreement.agreed("dev", *contracts)


def test_a_replaced_cluster_is_noticed(contracts: Contracts) -> None:
    cluster, serving, networking = contracts
    said = disagreement((msgspec.structs.replace(cluster, name="other"), serving, networking))
    assert "serving was deployed on cluster acme-ml-dev-cluster; the cluster is other" in said
    assert "networking was deployed on cluster acme-ml-dev-cluster; the cluster is other" in said
    assert "platformctl up dev" in said


def test_a_routed_model_that_is_not_served_is_noticed(contracts: Contracts) -> None:
    cluster, serving, networking = contracts
    fewer = msgspec.structs.replace(serving, models=serving.models[1:])
    said = disagreement((cluster, fewer, networking))
    assert 'networking routes model "resnet", which serving does not expose' in said


def test_an_exposed_model_that_is_not_routed_is_noticed(contracts: Contracts) -> None:
    cluster, serving, networking = contracts
    fewer = msgspec.structs.replace(networking, models=networking.models[1:])
    said = disagreement((cluster, serving, fewer))
    assert 'serving exposes model "resnet", which networking does not route' in said


@pytest.mark.parametrize(
    "group",
    [
        "projects/acme-ml-dev/zones/europe-west4-c/networkEndpointGroups/acme-ml-dev-resnet",
        "projects/acme-ml-dev/zones/europe-west4-a/networkEndpointGroups/acme-ml-dev-fraud",
        "projects/acme-ml-dev/zones/europe-west4-a/instanceGroups/another-cluster-s",
    ],
)
def test_a_backend_of_another_cluster_is_noticed(group: str, contracts: Contracts) -> None:
    cluster, serving, networking = contracts
    first = msgspec.structs.replace(
        networking.models[0], groups=(f"https://www.googleapis.com/compute/v1/{group}",)
    )
    strange = msgspec.structs.replace(networking, models=(first, *networking.models[1:]))
    said = disagreement((cluster, serving, strange))
    assert (
        f'model "resnet" is routed to {group.removeprefix("projects/")}, which is not a group'
        in said
    )


def test_groups_that_are_yet_to_be_created_are_no_disagreement(contracts: Contracts) -> None:
    # The preview of an added or moved model: GKE creates its groups in the update.
    cluster, serving, networking = contracts
    first = msgspec.structs.replace(
        networking.models[0], groups=(planned.UNKNOWN, *networking.models[0].groups[1:])
    )
    new = msgspec.structs.replace(networking, models=(first, *networking.models[1:]))
    agreement.agreed("dev", cluster, serving, new)
