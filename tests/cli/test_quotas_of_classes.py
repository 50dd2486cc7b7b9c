"""What compute classes may have Kubernetes Engine create, compared with quotas."""

from __future__ import annotations

from typing import Any

from cli.capacity import report
from cli.capacity.class_rules import COMPUTE_CLASS
from cli.capacity.comparison import Change, Comparison
from cli.capacity.resources import CLUSTER, POOL
from tests.cli.test_quotas_before_update import of, pool

Json = dict[str, Any]
ON_DEMAND, SPOT = "NVIDIA_L4_GPUS", "PREEMPTIBLE_NVIDIA_L4_GPUS"
L4: Json = {"machineType": "g2-standard-8", "gpu": {"type": "nvidia-l4", "count": 1}}
DECLARED = pool(1, "g2-standard-8")
DECLARED["nodeConfig"]["guestAccelerators"] = [{"type": "nvidia-l4", "count": 1}]


def class_(*rules: Json, creates: bool = True) -> Json:
    return {"spec": {"priorities": list(rules), "nodePoolAutoCreation": {"enabled": creates}}}


def cluster(gpus: int, cpu: int = 200) -> Change:
    limits = {"cpu": cpu, "memory": 1000, "nvidia-l4": gpus}
    listed = [{"resourceType": kind, "maximum": most} for kind, most in limits.items()]
    inputs = {"clusterAutoscaling": {"enabled": True, "resourceLimits": listed}}
    return Change(type=CLUSTER, name="main", before=inputs, after=inputs)


def compared(*changes: Change, quota: float = 4) -> Comparison:
    return of(list(changes), {ON_DEMAND: quota, SPOT: quota})


def most(made: Comparison) -> dict[str, float]:
    return {row.metric.name: row.most for row in made.rows}


def new(*rules: Json, name: str = "gpus", creates: bool = True) -> Change:
    return Change(type=COMPUTE_CLASS, name=name, after=class_(*rules, creates=creates))


def test_a_class_may_ask_for_what_the_limits_leave_beside_the_declared_pools() -> None:
    own = Change(type=POOL, name="l4", before=DECLARED, after=DECLARED)
    made = compared(cluster(7), own, new(L4))
    # Of seven the pool takes two, one in each zone, and one more in an upgrade.
    assert most(made) == {ON_DEMAND: 5 + 1}
    assert all(row.now == 0 for row in made.rows)
    (warning,) = report.warnings(made)
    assert f"quota {ON_DEMAND} in europe-west4: node pools at their largest need 6" in warning


def test_the_scarcest_limit_counts() -> None:
    assert most(compared(cluster(7, cpu=17), new(L4))) == {ON_DEMAND: 2}


def test_choices_and_classes_share_what_is_left_of_a_type() -> None:
    spot = {**L4, "spot": True}
    assert most(compared(cluster(7), new(L4, spot))) == {ON_DEMAND: 7, SPOT: 7}
    assert most(compared(cluster(7), new(L4), new(L4, name="more"))) == {ON_DEMAND: 7}


def test_one_node_is_counted_where_more_is_not_known() -> None:
    made = compared(new(L4), quota=0)
    assert most(made) == {ON_DEMAND: 1}
    assert report.warnings(made)
    before, after = class_(), class_(L4)
    changed = Change(type=COMPUTE_CLASS, name="gpus", before=before, after=after)
    assert most(compared(cluster(7), changed)) == {ON_DEMAND: 1}


def test_a_class_that_creates_nothing_or_goes_asks_for_nothing() -> None:
    assert compared(cluster(7), new(L4, creates=False)).rows == ()
    gone = Change(type=COMPUTE_CLASS, name="gpus", before=class_(L4))
    assert compared(cluster(7), gone).rows == ()
