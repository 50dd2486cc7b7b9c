"""The event log of a run: changes, errors, and each violation once."""

from typing import Any

from cli.events import Run

URN = "urn:pulumi:dev::gke-cluster::gcp:compute/network:Network::main"


def _policy(level: str = "mandatory") -> dict[str, Any]:
    return {
        "policyEvent": {
            "policyName": "cluster-nodes-are-private",
            "resourceUrn": URN,
            "message": "<{%reset%}>nodes have public addresses<{%reset%}>\n",
            "enforcementLevel": level,
        }
    }


def test_changes_are_those_of_the_summary() -> None:
    run = Run()
    run.take({"summaryEvent": {"resourceChanges": {"create": 3, "same": 1, "refresh": 9}}})
    assert run.changes == {"create": 3, "update": 0, "delete": 0, "replace": 0, "same": 1}


def test_a_repeated_violation_counts_once() -> None:
    run = Run()
    run.take(_policy())
    run.take(_policy())
    assert len(run.violations) == 1
    assert len(run.refusals) == 1


def test_an_advisory_violation_is_shown_and_stops_nothing() -> None:
    run = Run()
    shown = run.take(_policy("advisory"))
    assert shown is not None
    assert "cluster-nodes-are-private (advisory): main" in shown
    assert not run.refusals


def test_an_error_names_its_resource_without_colour_marks() -> None:
    run = Run()
    message = "<{%fg 1%}>no such zone<{%reset%}>\n"
    run.take({"diagnosticEvent": {"severity": "error", "message": message, "urn": URN}})
    assert run.errors == ["main: no such zone"]


def test_outputs_are_those_of_the_stack() -> None:
    run = Run()
    metadata = {
        "op": "same",
        "type": "pulumi:pulumi:Stack",
        "urn": "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev",
        "new": {"outputs": {"address": "127.16.0.1"}},
    }
    assert run.take({"resOutputsEvent": {"metadata": metadata}}) is None
    assert run.outputs == {"address": "127.16.0.1"}


def test_types_of_replaced_resources_are_kept() -> None:
    run = Run()
    for op in ("create-replacement", "replace", "delete-replaced"):
        run.take({"resourcePreEvent": {"metadata": {"op": op, "type": "gcp:a:A", "urn": URN}}})
    run.take({"resourcePreEvent": {"metadata": {"op": "update", "type": "gcp:b:B", "urn": URN}}})
    assert run.replaced == {"gcp:a:A"}


def test_a_step_tells_what_differs_and_what_forces_the_replacement() -> None:
    run = Run(is_preview=True)
    metadata = {
        "op": "replace",
        "urn": URN,
        "type": "gcp:compute/network:Network",
        "detailedDiff": {
            "name": {"diffKind": "update-replace", "inputDiff": True},
            "mtu": {"diffKind": "update", "inputDiff": True},
        },
        "old": {"inputs": {"name": "a"}, "outputs": {"name": "a", "selfLink": "networks/a"}},
        "new": {"inputs": {"name": "b"}},
    }
    run.take({"resourcePreEvent": {"metadata": metadata}})
    (step,) = run.steps
    assert (step.name, step.kind, step.is_replacement) == ("main", "Network", True)
    assert step.differs == ("name", "mtu")
    assert step.replaces_for == ("name",)
    assert step.outputs["selfLink"] == "networks/a"


def test_what_an_update_only_plans_is_not_shown_as_done() -> None:
    metadata = {"op": "update", "type": "a:b:Pod", "urn": "urn::a:b:Pod::one"}
    for key in ("resourcePreEvent", "resOutputsEvent"):
        assert Run().take({key: {"metadata": metadata, "planning": True}}) is None
        assert Run().take({key: {"metadata": metadata}}) is not None
    shown = Run(is_preview=True).take(
        {"resourcePreEvent": {"metadata": metadata, "planning": True}}
    )
    assert shown == "would be updated: Pod one"
