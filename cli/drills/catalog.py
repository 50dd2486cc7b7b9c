"""The drills."""

from __future__ import annotations

from cli.drills import (
    certificates,
    exposures,
    keda,
    nodes,
    prometheus,
    rollouts,
    servers,
    stock,
    weights,
)
from cli.drills.drill import Drill, nothing
from cli.errors import CliError, Exit, meant

DRILLS = (
    Drill(
        name="rolling-update",
        summary="another pod template is rolled out, and the former one again",
        real="kubectl rollout restart deployment/MODEL, kubectl rollout undo",
        prepare=nothing,
        act=rollouts.roll_out,
        restore=rollouts.roll_back,
    ),
    Drill(
        name="rollback",
        summary="a rollout that has ended is undone",
        real="kubectl rollout undo deployment/MODEL",
        prepare=rollouts.roll_out,
        act=rollouts.roll_back,
        restore=nothing,
    ),
    Drill(
        name="canary",
        summary="the canary gets 5 % of the requests, 50 %, and its former share",
        real="other `weights` in the stack file, ./platformctl up ENV --layer networking",
        prepare=weights.url_maps,
        act=weights.shift,
        restore=weights.restore,
        needs_canary=True,
    ),
    Drill(
        name="node-drain",
        summary="the node with most pods of the model is drained, and uncordoned",
        real="kubectl drain NODE --ignore-daemonsets --delete-emptydir-data, kubectl uncordon NODE",
        prepare=nodes.busiest,
        act=nodes.drain,
        restore=nodes.uncordon,
    ),
    Drill(
        name="pool-replacement",
        summary="the nodes of the model's pool are drained one by one, as by an upgrade",
        real="gcloud container clusters upgrade CLUSTER --node-pool POOL",
        prepare=nodes.busiest_pool,
        act=nodes.replace_pool,
        restore=nodes.uncordon_all,
    ),
    Drill(
        name="spot-reclaim",
        summary="a node is reclaimed: its pods have 15 s, and it is gone",
        real="gcloud compute instances simulate-maintenance-event NODE",
        prepare=nodes.busiest_node,
        act=nodes.reclaim,
        restore=nodes.return_node,
        may_break_budget=True,
    ),
    Drill(
        name="zone-lost",
        summary="the nodes of a zone fall silent at once",
        real="gcloud compute instances stop, for the nodes of a zone",
        prepare=nodes.busiest_zone,
        act=nodes.lose_zone,
        restore=nodes.return_zone,
        may_lose=True,
        may_break_budget=True,
    ),
    Drill(
        name="stock-out",
        summary="a rollout needs a node, and no zone has another one; a class has its next choice",
        real="nothing: what Google has in stock cannot be changed",
        prepare=stock.stock,
        act=stock.run_out,
        restore=stock.restock,
    ),
    Drill(
        name="pod-crash",
        summary="the server of a pod is killed, and started again",
        real="kubectl exec POD -- kill -9 1",
        prepare=nothing,
        act=servers.crash,
        restore=nothing,
        may_lose=True,
        may_break_budget=True,
    ),
    Drill(
        name="slow-model",
        summary="every server of the model takes 0.5 s for an answer",
        real="nothing: a real server is as slow as it is",
        prepare=nothing,
        act=servers.slow_down,
        restore=servers.speed_up,
    ),
    Drill(
        name="keda-away",
        summary="KEDA's operator has no pod for a while",
        real="kubectl -n keda scale deployment keda-operator --replicas=0, and back",
        prepare=keda.operator,
        act=keda.take_away,
        restore=keda.bring_back,
        needs_keda=True,
    ),
    Drill(
        name="prometheus-away",
        summary="Prometheus answers nothing for a while: models keep their replicas",
        real="nothing: the Managed Service for Prometheus is Google's",
        prepare=prometheus.autoscaler,
        act=prometheus.take_away,
        restore=prometheus.bring_back,
        needs_keda=True,
    ),
    Drill(
        name="certificate-change",
        summary="another certificate is issued and served, and the former one again",
        real="other `domains` of a certificate in the stack file, ./platformctl up ENV",
        prepare=certificates.served,
        act=certificates.replace,
        restore=certificates.restore,
        needs_https=True,
    ),
    Drill(
        name="exposure-move",
        summary="the model moves from the Ingress to the Gateway with its callers, and back",
        real="`former_exposure` beside another `exposure` in the stack file, ./platformctl up ENV",
        prepare=exposures.planned,
        act=exposures.move,
        restore=exposures.restore,
        moves=True,
    ),
)


def find(name: str) -> Drill:
    """A drill by its name. Raises CliError with the nearest one."""
    known = {one.name: one for one in DRILLS}
    if name not in known:
        hint = f"{meant(name, known)}drills: {', '.join(known)}"
        raise CliError(f"there is no drill `{name}`", hint, Exit.USAGE)
    return known[name]


def table() -> str:
    """All drills, a line each."""
    return "\n".join(f"{one.name:<19} {one.summary}" for one in DRILLS)
