"""Pictures of made-up environments."""

from __future__ import annotations

from dataclasses import replace

from cli.alerting import Alert
from cli.drift.record import Compared
from cli.show.cluster import Amounts, Budget, Node, Pod, Scaler
from cli.show.picture import FrontEnd, Model, Picture, Pool, Rule, Version, Violation, Zone
from cli.show.stacks import LayerState
from tests.cli.courses import running


def version(name: str, *, weight: int = 100, pods: int = 2) -> Version:
    listed = tuple(
        Pod(name=f"{name}-{index}", node="node-1", zone="europe-west4-a", state="ready")
        for index in range(pods)
    )
    return Version(
        name=name,
        weight=weight,
        mirror=0,
        backend=f"acme-ml-dev-{name}",
        group=f"endpoint groups acme-ml-dev-{name}-0123abcd, port 8501",
        ready=pods,
        wanted=pods,
        zones=(Zone(name="europe-west4-a", pods=listed),),
        budget=Budget(wanted=1, healthy=pods, allowed=pods - 1),
        scaler=Scaler(minimum=2, maximum=4, desired=pods),
    )


def model(name: str, text: str = "") -> Model:
    """A model with a canary; `text` is part of each of its free texts."""
    return Model(
        name=name,
        namespace=f"models{text}",
        server="tensorflow-serving",
        place="stacks/Pulumi.dev.yaml:48",
        exposure="http-load-balancer",
        url=f"https://models.dev.acme.example/v1/models/{name}",
        rules=(
            Rule(
                hosts=(f"any host{text}",),
                path=f"/v1/models/{name}",
                ends=("/*", ":predict"),
                rewrite=None,
                shadowed_by=None,
            ),
        ),
        versions=(version(name, weight=95), version(f"{name}-canary", weight=5, pods=1)),
        least=2,
        most=4,
        targets=(f"CPU 50 %{text}",),
        callers=(f"search{text}",),
        goals=(f"99 % of requests succeed{text}",),
        alerts=(Alert(name=f"dev-{name}", severity="ERROR", state="quiet", detail=text),),
    )


def picture(count: int = 2, text: str = "") -> Picture:
    models = tuple(model(f"model-{index:04}", text) for index in range(count))
    node = Node(
        name="node-1",
        pool="serving",
        zone="europe-west4-a",
        is_ready=True,
        allocatable=Amounts(7.91, 28 * 2**30),
        requested=Amounts(4, 14 * 2**30),
    )
    return Picture(
        environment="dev",
        where="rehearsed",
        project=f"acme-ml-dev{text}",
        region="europe-west4",
        cluster=f"acme-ml-dev-cluster{text}",
        url="https://models.dev.acme.example",
        front_ends=(
            FrontEnd(
                kind="http-load-balancer",
                scheme="https",
                address="203.0.113.7",
                certificates=(f"models.dev.acme.example{text}",),
                models=tuple(one.name for one in models),
            ),
        ),
        models=models,
        pools=(
            Pool(
                name="serving",
                place="stacks/Pulumi.dev.yaml:26",
                machine_type=f"n2-standard-8{text}",
                accelerator="",
                zones=("europe-west4-a",),
                least=1,
                most=4,
                spot=True,
                compact=True,
                nodes=(node,),
                allocatable=node.allocatable,
                requested=node.requested,
            ),
        ),
        layers=(
            LayerState(
                name="cluster",
                needs=(),
                program="infra/cluster",
                resources=45,
                updated="2026-11-27T08:51:23.5+01:00",
                outputs=("kubeconfig", "name"),
            ),
            LayerState(name="serving", needs=("cluster",), program="infra/serving"),
        ),
        violations=(
            Violation(
                rule="spot-nodes-keep-others-away",
                level="advisory",
                stops=False,
                layer="cluster",
                resource="serving",
                message=f"pool has spot nodes and no taint{text}",
                place="",
                waived=f"reviewed{text}",
            ),
        ),
        audit_log=f"400 days, in eu{text}",
        alerts=(Alert(name=f"dev-uptime{text}", severity="CRITICAL", state="firing", detail=""),),
    )


def troubled(of: Picture) -> Picture:
    """The picture with a layer that was interrupted, drift, violations, and pods of all states."""
    cluster, serving = of.layers
    drift = Compared(at="2026-11-27T09:51:23+00:00", changed=("resnet",), pending=("url-map",))
    first, second = of.models
    pods = tuple(
        Pod(name=state, node="", zone="", state=state)
        for state in ("ready", "starting", "pending", "stopping", "failed")
    )
    stuck = replace(first.versions[0], ready=1, wanted=5, zones=(Zone(name="", pods=pods),))
    (violation,) = of.violations
    stops = replace(violation, rule="images-are-pinned", stops=True, level="mandatory", waived="")
    return replace(
        of,
        layers=(replace(cluster, drift=drift), replace(serving, is_settled=False)),
        models=(
            replace(first, name="m" * 60, versions=(stuck, first.versions[1])),
            replace(second, url="", rules=(), versions=(replace(second.versions[0], zones=()),)),
        ),
        violations=(*of.violations, stops),
        pools=(),
        courses=(replace(running(), state="killed"),),
    )
