"""Reasons of a failure, from the words of the engine and its plugins."""

import pytest

from cli import console, failures
from cli.events import Run
from gkeplatform.errors import LET_GO_FIRST
from gkeplatform.layers import CLUSTER, SERVING

URN = "urn:pulumi:dev::gke-serving::a:b:C$kubernetes:apps/v1:Deployment::resnet"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("main: no such zone", "main: no such zone"),
        (
            "main: 1 error occurred:\n\t* Error creating Network: googleapi: Error 400: no\n"
            "More details:\nReason: invalid\n\n",
            "main: Error creating Network: googleapi: Error 400: no More details: Reason: invalid",
        ),
        (
            'resnet: 2 errors occurred:\n\t* resource "' + URN + '" was created\n'
            "\t* [Pod resnet-1]: ImagePullBackOff\n\n",
            "resnet: resnet was created\n  [Pod resnet-1]: ImagePullBackOff",
        ),
        ("main: 1 error occurred:", "main: 1 error occurred:"),
        (f'resnet: resource "{URN}" was not created', "resnet: resnet was not created"),
        ("main: a\n  b", "main: a\n  b"),
    ],
)
def test_the_reason_takes_the_place_of_the_list(error: str, told: str) -> None:
    assert failures.explained(error) == told


CANCELLED = [
    "bert: failed to run remediation: context canceled",
    "bert: rpc error: code = Canceled desc = grpc: the client connection is closing",
    'bert: Resource operation was cancelled for "bert"',
]


@pytest.mark.parametrize("cancelled", CANCELLED)
def test_what_was_only_cancelled_is_left_out(cancelled: str) -> None:
    assert failures.reasons([cancelled, "resnet: no", "update failed"]) == ["resnet: no"]


@pytest.mark.parametrize("errors", [CANCELLED, ["update failed"], []])
def test_what_is_left_alone_is_told(errors: list[str]) -> None:
    assert failures.reasons([*errors]) == errors


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("warning: w\nerror: first\nerror: second\n", "second"),
        (
            "error: Pulumi.dev.yaml: yaml: unmarshal errors:\n  line 3: not a map\n\nDuration: 1s",
            "Pulumi.dev.yaml: yaml: unmarshal errors:\n  line 3: not a map",
        ),
        ("a line\nthe last\n\n", "the last"),
        ("", "no reason given"),
    ],
)
def test_an_error_of_several_lines_is_told_whole(output: str, told: str) -> None:
    assert failures.last(output) == told


@pytest.mark.parametrize(
    "errors",
    [
        ["stacks/Pulumi.dev.yaml: gke-cluster:x: unknown key\nhint: did you mean y"],
        ["main: a\n  b\nhint: did you mean y", "pool: c\nhint: did you mean y"],
        ["main: no\nhint: wait a minute", "stacks/Pulumi.dev.yaml: no\n  hint: did you mean y"],
    ],
)
def test_a_failure_has_one_hint_with_what_its_reasons_advise(
    errors: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    failed = failures.error(CLUSTER, "dev", 1, Run(errors=errors), "")
    failed.hint += "\nto go on: ./platformctl up dev"  # as `cli.guards.run.alone` does
    console.failure(failed, as_json=False)
    said = capsys.readouterr().err
    assert said.count("hint:") == 1
    assert "hint: did you mean y" in said or "; did you mean y" in said
    assert "did you mean y" not in str(failed)


def test_a_log_bucket_in_deletion_can_be_brought_back() -> None:
    told = "callers: Error 400: Buckets must be in an ACTIVE state to be modified"
    failed = failures.error(SERVING, "dev", 1, Run(errors=[told]), "")
    assert "gcloud logging buckets undelete" in failed.hint


def test_what_goes_first_is_read_from_the_hint() -> None:
    told = (
        f"stacks/Pulumi.dev.yaml:21: groups are in use\nhint: run networking, which {LET_GO_FIRST}"
    )
    failed = failures.error(CLUSTER, "dev", 1, Run(errors=[told]), "")
    assert LET_GO_FIRST not in str(failed)
    assert failed.says(LET_GO_FIRST)
    assert failed.says("groups are in use")


def test_a_refusal_by_policy_names_the_rules_that_refuse() -> None:
    """Advisory violations were shown as they came."""
    run = Run()
    for name, level in (("spot-nodes", "advisory"), ("clusters-log", "mandatory")):
        event = {"policyName": name, "resourceUrn": URN, "message": "no", "enforcementLevel": level}
        run.take({"policyEvent": event})
    told = str(failures.error(CLUSTER, "dev", 255, run, ""))
    assert "clusters-log (mandatory)" in told
    assert "spot-nodes" not in told
