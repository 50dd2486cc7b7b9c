"""What an update asks of quotas: from steps or states, compared and told; without an engine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from cli.capacity import changes, report
from cli.capacity.comparison import (
    Change,
    Comparison,
    Quota,
    Row,
    compare,
    surroundings,
    touches,
)
from cli.capacity.compute_api import ComputeApi, UnreadableError
from cli.capacity.resources import CLUSTER, POOL
from cli.errors import Exit
from cli.steps import Step
from policies.subjects import Resource

REGION = "europe-west4"
ZONES = [f"{REGION}-a", f"{REGION}-b"]
Json = dict[str, Any]


def pool(most: int = 3, machine: str = "n2-standard-4", **more: Any) -> Json:
    return {
        "nodeLocations": ZONES,
        "initialNodeCount": 1,
        "autoscaling": {"minNodeCount": 1, "maxNodeCount": most},
        "nodeConfig": {"machineType": machine, "diskType": "pd-balanced", "diskSizeGb": 100},
        "networkConfig": {"enablePrivateNodes": True},
        "upgradeSettings": {"maxSurge": 1},
        **more,
    }


def of(
    found: list[Change], limits: dict[str, float], *, used: float = 0, running: Any = None
) -> Comparison:
    known = {
        (REGION if name not in PROJECT else "", name): Quota(limit, used)
        for name, limit in limits.items()
    }
    return compare(found, surroundings(found, REGION), known, running or {})


PROJECT = ("URL_MAPS", "BACKEND_SERVICES", "GLOBAL_EXTERNAL_MANAGED_BACKEND_SERVICES")


def row(made: Comparison) -> Row:
    (found,) = made.rows
    return found


def test_a_new_pool_asks_for_its_first_nodes_and_at_most_for_all_with_the_surge() -> None:
    found = row(of([Change(type=POOL, name="a", after=pool())], {"N2_CPUS": 100}))
    assert (found.now, found.most) == (8, 28)


def test_blue_green_upgrades_double_a_pool() -> None:
    after = pool(upgradeSettings={"strategy": "BLUE_GREEN"})
    assert row(of([Change(type=POOL, name="a", after=after)], {"N2_CPUS": 100})).most == 48


def test_growth_of_a_pool_is_counted_from_the_nodes_that_it_has() -> None:
    change = Change(type=POOL, name="a", before=pool(3), after=pool(5))
    found = row(of([change], {"N2_CPUS": 40}, used=16, running={"a": 4}))
    # Ten nodes and one of the surge, less the four that are counted as used.
    assert (found.used, found.now, found.most) == (16, 0, 28)
    assert found.fits
    assert not found.fits_at_most


def test_the_other_pools_growth_counts_at_most_and_alone_touches_nothing() -> None:
    same = Change(type=POOL, name="old", before=pool(), after=pool())
    assert not touches([same], surroundings([same], REGION))
    new = Change(type=POOL, name="new", after=pool())
    found = row(of([same, new], {"N2_CPUS": 100}, used=8, running={"old": 2}))
    assert (found.now, found.most) == (8, 28 + 20)


def test_a_replaced_pool_stands_beside_the_new_one() -> None:
    change = Change(type=POOL, name="a", before=pool(), after=pool(), stands_beside=True)
    assert row(of([change], {"N2_CPUS": 100}, used=8)).now == 8


def test_a_spot_pool_of_gpus_counts_against_the_quota_that_was_granted() -> None:
    config = {"machineType": "g2-standard-8", "spot": True}
    change = Change(type=POOL, name="gpu", after=pool(nodeConfig=config))
    both = {"NVIDIA_L4_GPUS": 8.0, "PREEMPTIBLE_NVIDIA_L4_GPUS": 4.0}
    assert row(of([change], both)).metric.name == "PREEMPTIBLE_NVIDIA_L4_GPUS"
    both["PREEMPTIBLE_NVIDIA_L4_GPUS"] = 0.0
    assert row(of([change], both)).metric.name == "NVIDIA_L4_GPUS"


def test_a_backend_service_counts_by_its_scheme_or_in_older_projects_with_all() -> None:
    kind = "gcp:compute/backendService:BackendService"
    change = Change(type=kind, name="a", after={"loadBalancingScheme": "EXTERNAL_MANAGED"})
    own = "GLOBAL_EXTERNAL_MANAGED_BACKEND_SERVICES"
    assert row(of([change], {own: 5, "BACKEND_SERVICES": 5})).metric.name == own
    assert row(of([change], {"BACKEND_SERVICES": 5})).metric.name == "BACKEND_SERVICES"


def test_a_service_asks_for_a_group_in_each_zone() -> None:
    note = json.dumps({"exposed_ports": {"8501": {"name": "resnet"}}})
    service = {"metadata": {"annotations": {"cloud.google.com/neg": note}}, "spec": {}}
    found = [
        Change(type=POOL, name="a", before=pool(), after=pool()),
        Change(type="kubernetes:core/v1:Service", name="resnet", after=service),
    ]
    assert row(of(found, {"NETWORK_ENDPOINT_GROUPS": 100})).now == 2


def test_a_new_cluster_needs_its_default_pool_for_a_while() -> None:
    after = {"initialNodeCount": 1, "removeDefaultNodePool": True, "nodeLocations": ZONES}
    found = row(of([Change(type=CLUSTER, name="main", after=after)], {"CPUS": 10}))
    assert (found.now, found.most) == (4, 4)
    same = Change(type=CLUSTER, name="main", before=after, after={**after, "labels": {}})
    assert of([same], {"CPUS": 10}).rows == ()


def test_quotas_that_the_api_does_not_show_are_named() -> None:
    change = Change(type=POOL, name="a", after=pool(machine="c4-standard-4"))
    made = of([change], {"INSTANCES": 100})
    assert made.unknown == ("the Compute API does not show CPUS_PER_VM_FAMILY of C4",)


def test_what_does_not_fit_is_an_error_and_what_may_not_fit_a_warning() -> None:
    found = [Change(type=POOL, name="a", after=pool())]
    assert report.refusal(of(found, {"N2_CPUS": 8}), "acme") is None
    (warning,) = report.warnings(of(found, {"N2_CPUS": 8}))
    assert "N2_CPUS in europe-west4: node pools at their largest need 28" in warning
    error = report.refusal(of(found, {"N2_CPUS": 20}, used=16), "acme")
    assert error is not None
    assert error.code is Exit.QUOTA
    assert "N2_CPUS in europe-west4: 8 asked for, 16 of 20 in use" in str(error)
    assert "project=acme" in error.hint
    (line,) = report.lines(of(found, {"N2_CPUS": 100}))
    assert line == "N2_CPUS in europe-west4: 0 of 100 in use, 8 asked for, at most 28"


def step(op: str, **more: Any) -> Step:
    return Step(op=op, urn=f"urn:pulumi:dev::p::{POOL}::a", type=POOL, **more)


def test_changes_of_a_previews_steps() -> None:
    (made,) = changes.of_steps([step("create", new=pool())])
    assert (made.before, made.after) == (None, pool())
    (gone,) = changes.of_steps([step("delete", old=pool())])
    assert (gone.before, gone.after) == (pool(), None)
    ops = ("create-replacement", "replace", "delete-replaced")
    parts = [step(op, old=pool(), new=pool(5)) for op in ops]
    (beside,) = changes.of_steps(parts)
    assert (beside.stands_beside, beside.after) == (True, pool(5))
    (first,) = changes.of_steps(parts[::-1])
    assert not first.stands_beside
    assert (first.before, first.after) == (pool(), pool(5))


def test_changes_of_a_state_follow_a_resource_by_its_name_in_the_account() -> None:
    held = {"type": POOL, "urn": "urn::a", "inputs": {"name": "general"}, "outputs": {"n": 1}}
    state = {"deployment": {"resources": [held]}}
    declared = Resource(POOL, {"name": "general", "x": 1}, "renamed", "urn::renamed")
    (made,) = changes.of_state(state, [declared])
    assert (made.before, made.outputs) == ({"name": "general"}, {"n": 1})
    (new,) = changes.of_state(None, [declared])
    assert new.before is None


class _Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_known = self.path.startswith("/compute/v1/projects/acme")
        answer: Json = {"quotas": [{"metric": "N2_CPUS", "limit": 8, "usage": 4}], "targetSize": 2}
        if not is_known:
            answer = {"error": {"code": 403, "message": "Required permission."}}
        body = json.dumps(answer).encode()
        self.send_response(200 if is_known else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Api)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/compute/v1/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_quotas_are_read_from_where_the_provider_is_led(endpoint: str) -> None:
    variables = {"GOOGLE_COMPUTE_CUSTOM_ENDPOINT": endpoint, "GOOGLE_OAUTH_ACCESS_TOKEN": "t"}
    api = ComputeApi(variables, "acme")
    assert api.quotas([REGION])[REGION, "N2_CPUS"] == Quota(8, 4)
    group = f"https://www.googleapis.com/compute/v1/projects/acme/zones/{ZONES[0]}/x/y"
    outputs = {"managedInstanceGroupUrls": [group, group]}
    change = Change(type=POOL, name="a", before=pool(), after=pool(), outputs=outputs)
    assert api.running([change]) == {"a": 4}
    with pytest.raises(UnreadableError, match=r"403 Required permission\."):
        ComputeApi(variables, "other").quotas([REGION])


def test_without_credentials_the_reason_is_one_line() -> None:
    with pytest.raises(UnreadableError, match="gcloud"):
        ComputeApi({"PATH": "/nowhere"}, "acme").quotas([REGION])
