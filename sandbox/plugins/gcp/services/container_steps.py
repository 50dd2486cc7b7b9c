"""Clusters and node pools: behaviour of their own. `container_update` has their updates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.services import container_update as update
from sandbox.plugins.gcp.spec import Values
from sandbox.plugins.provider import PluginError

LOCATION = "projects/{project}/locations/{location}"
CLUSTER = f"{LOCATION}/clusters/{{cluster}}"
MOVING = frozenset({"PROVISIONING", "RECONCILING", "STOPPING"})
LONGEST_POLL = 2.0
BROKEN = frozenset({"ERROR", "RUNNING_WITH_ERROR"})
DEFAULT_POOL = "default-pool"


def _at_rest(context: Context, path: str) -> Values | None:
    """The cluster or pool, once no operation is running on it."""
    pause = 0.1
    while True:
        body = context.find(path)
        if body is None or body.get("status") not in MOVING:
            return body
        context.client.sleep(pause)
        pause = min(pause * 1.5, LONGEST_POLL)


def _is_zone(location: str) -> bool:
    return location.count("-") > 1


class Cluster(Handler):
    """A cluster. `deletionProtection` exists only in the provider."""

    def to_api(self, inputs: Values) -> Values:
        """The API's object, with the official provider's additions."""
        body = super().to_api(inputs)
        if inputs.get("minMasterVersion"):
            body["initialClusterVersion"] = inputs["minMasterVersion"]
        if inputs.get("masterAuthorizedNetworksConfig") is not None:
            body["masterAuthorizedNetworksConfig"]["enabled"] = True
        if (inputs.get("authenticatorGroupsConfig") or {}).get("securityGroup"):
            body["authenticatorGroupsConfig"]["enabled"] = True
        exclusions = (inputs.get("maintenancePolicy") or {}).get("maintenanceExclusions")
        if exclusions:
            body["maintenancePolicy"].setdefault("window", {})["maintenanceExclusions"] = {
                one["exclusionName"]: _exclusion(one) for one in exclusions
            }
        location, zones = str(inputs.get("location") or ""), body.get("locations")
        if zones and _is_zone(location):
            if location in zones:
                raise PluginError(
                    "when using a multi-zonal cluster, node_locations should not contain the "
                    "original 'zone'"
                )
            body["locations"] = sorted({*zones, location})
        if not inputs.get("enableAutopilot"):
            routes = inputs.get("networkingMode") == "ROUTES"
            body["ipAllocationPolicy"] = {
                **body.get("ipAllocationPolicy", {}),
                **({"useRoutes": True} if routes else {"useIpAliases": True}),
            }
        return body

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs, without blocks that the API returns for disabled features."""
        outputs = super().from_api(body)
        network = body.get("networkConfig") or {}
        for name in ("network", "subnetwork"):
            if network.get(name):
                outputs[name] = network[name]
        if not (body.get("masterAuthorizedNetworksConfig") or {}).get("enabled"):
            outputs.pop("masterAuthorizedNetworksConfig", None)
        for name in ("networkPolicy", "secretManagerConfig"):
            if not (body.get(name) or {}).get("enabled"):
                outputs.pop(name, None)
        aliases = (body.get("ipAllocationPolicy") or {}).get("useIpAliases")
        outputs["networkingMode"] = "VPC_NATIVE" if aliases else "ROUTES"
        zones = [zone for zone in body.get("locations", ()) if zone != body.get("location")]
        outputs["nodeLocations"] = sorted(zones)
        _add_exclusions(outputs, body)
        return outputs

    def outputs(
        self, context: Context, inputs: Values, body: Mapping[str, Any], state: Values | None
    ) -> Values:
        """The inputs; `nodePools` stay as first read, because pools are resources of their own."""
        outputs = super().outputs(context, inputs, body, state)
        if state and "nodePools" not in inputs:
            for name in ("nodePools", "nodeConfig"):
                if name not in inputs:
                    outputs.pop(name, None)
                    if name in state:
                        outputs[name] = state[name]
        return outputs

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create it; then delete the default pool if the program wants none."""
        cluster = self._linked(context, self.to_api(inputs))
        nodes = cluster.get("nodePools") or inputs.get("enableAutopilot")
        if not nodes and not cluster.get("initialNodeCount"):
            raise PluginError(
                "initialNodeCount must be at least 1, even with removeDefaultNodePool, "
                "or node pools must be given in nodePools"
            )
        context.call("POST", f"{context.fill(LOCATION)}/clusters", {"cluster": cluster})
        self._drop_default_pool(context, inputs)
        self._refuse_broken(_at_rest(context, self.path(context)))

    def read_remote(self, context: Context) -> Values | None:
        """The cluster, once no operation is running on it."""
        return _at_rest(context, self.path(context))

    def before_update(self, context: Context) -> None:
        """Wait for a running operation on the cluster."""
        _at_rest(context, self.path(context))

    def update_remote(
        self, context: Context, inputs: Values, state: Values, changed: set[str]
    ) -> None:
        """One request per changed part: GKE takes only one at a time."""
        wanted = self._linked(context, self.to_api(inputs))
        if "network" in wanted:
            wanted.setdefault("networkConfig", {})
        path = self.path(context)
        with context.client.lock(path):
            for request in update.cluster_requests(wanted, inputs, state, changed):
                context.call(request.method, f"{path}{request.suffix}", request.body)

    def after_update(self, context: Context, inputs: Values, state: Values) -> None:  # noqa: ARG002  # the signature of all
        """Delete the default pool, which an interrupted creation may have left."""
        self._drop_default_pool(context, inputs)

    def delete(self, context: Context, id_: str, inputs: Values, state: Values) -> None:
        """Raise PluginError for a protected cluster."""
        protected = state.get("deletionProtection", inputs.get("deletionProtection", True))
        if protected is not False:
            raise PluginError(
                f"cannot destroy cluster {id_.rpartition('/')[2]} without setting "
                "deletionProtection=false and running `pulumi up`"
            )
        super().delete(context, id_, inputs, state)

    def delete_remote(self, context: Context, state: Values) -> None:
        """Delete it, after a running operation on it."""
        if _at_rest(context, self.path(context)) is not None:
            super().delete_remote(context, state)

    def _drop_default_pool(self, context: Context, inputs: Values) -> None:
        if not inputs.get("removeDefaultNodePool"):
            return
        pool = f"{self.path(context)}/nodePools/{DEFAULT_POOL}"
        with context.client.lock(self.path(context)):
            if _at_rest(context, pool) is not None:
                context.call("DELETE", pool)

    def _refuse_broken(self, cluster: Values | None) -> None:
        if cluster and cluster.get("status") in BROKEN:
            reason = cluster.get("statusMessage") or "no reason given"
            raise PluginError(f"the cluster was created in state {cluster['status']}: {reason}")


class NodePool(Handler):
    """A node pool. Its size is read from its managed instance groups."""

    def prepare(self, context: Context, inputs: Values) -> None:
        """The cluster may be given by its id, which contains its location."""
        cluster = inputs.get("cluster")
        if isinstance(cluster, str) and "/locations/" in cluster:
            parts = cluster.split("/")
            at = parts.index("projects")
            context.values["project"] = parts[at + 1]
            context.values["location"] = parts[at + 3]
            context.values["cluster"] = parts[-1]

    def to_api(self, inputs: Values) -> Values:
        """The API's object."""
        body = super().to_api(inputs)
        if inputs.get("autoscaling") is not None:
            body["autoscaling"]["enabled"] = True
        if inputs.get("nodeCount") is not None:
            body["initialNodeCount"] = int(inputs["nodeCount"])
        elif "initialNodeCount" not in body:
            bounds = inputs.get("autoscaling") or {}
            body["initialNodeCount"] = int(bounds.get("minNodeCount") or 0)
        return body

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs, without `autoscaling` if it is off."""
        outputs = super().from_api(body)
        if not (body.get("autoscaling") or {}).get("enabled"):
            outputs.pop("autoscaling", None)
        labels = (outputs.get("nodeConfig") or {}).get("resourceLabels")
        if labels is not None:  # GKE adds labels of its own
            own = {key: value for key, value in labels.items() if not key.startswith("goog-")}
            outputs["nodeConfig"]["resourceLabels"] = own
        for name in ("nodeCount", "managedInstanceGroupUrls"):
            if name in body:
                outputs[name] = body[name]
        return outputs

    def outputs(
        self, context: Context, inputs: Values, body: Mapping[str, Any], state: Values | None
    ) -> Values:
        """The program's taints; all taints are in `effectiveTaints`."""
        outputs = super().outputs(context, inputs, body, state)
        config = outputs.get("nodeConfig")
        if isinstance(config, dict):
            known = (inputs.get("nodeConfig") or (state or {}).get("nodeConfig") or {}).get(
                "taints"
            )
            ours = {one.get("key") for one in known or () if isinstance(one, Mapping)}
            is_import = not inputs and not state
            kept = [one for one in config.get("taints", ()) if is_import or one["key"] in ours]
            config.pop("taints", None)
            if kept:
                config["taints"] = kept
        outputs["cluster"] = context.values["cluster"]
        return outputs

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create it, after a running operation on the cluster."""
        body = {"nodePool": self.to_api(inputs)}
        with context.client.lock(context.fill(CLUSTER)):
            context.call("POST", f"{context.fill(CLUSTER)}/nodePools", body)
        pool = _at_rest(context, self.path(context))
        if pool and pool.get("status") in BROKEN:
            reason = pool.get("statusMessage") or "no reason given"
            raise PluginError(f"the node pool was created in state {pool['status']}: {reason}")

    def read_remote(self, context: Context) -> Values | None:
        """The pool, once no operation is running on it, with its size and groups from compute."""
        pool = _at_rest(context, self.path(context))
        if pool is None:
            return None
        groups, size = [], 0
        for url in pool.get("instanceGroupUrls", ()):
            path = url[url.index("projects/") :]
            manager = context.find(path, service="compute")
            if manager is not None:
                groups.append(manager.get("instanceGroup", ""))
                size += int(manager.get("targetSize", 0))
        count = size // len(groups) if groups else int(pool.get("initialNodeCount", 0))
        return {**pool, "nodeCount": count, "managedInstanceGroupUrls": groups}

    def before_update(self, context: Context) -> None:
        """Another operation may still be changing the pool."""
        _at_rest(context, self.path(context))

    def update_remote(
        self, context: Context, inputs: Values, state: Values, changed: set[str]
    ) -> None:
        """One request per changed part."""
        path = self.path(context)
        before = self.to_api(state)
        with context.client.lock(context.fill(CLUSTER)):
            for request in update.pool_requests(self.to_api(inputs), before, inputs, changed):
                target = path if request.on == "pool" else context.fill(CLUSTER)
                body = request.body
                if request.on == "cluster":
                    body["update"]["desiredNodePoolId"] = context.values["name"]
                context.call(request.method, f"{target}{request.suffix}", body)

    def delete_remote(self, context: Context, state: Values) -> None:
        """Delete it, after a running operation on the cluster."""
        with context.client.lock(context.fill(CLUSTER)):
            if _at_rest(context, self.path(context)) is not None:
                super().delete_remote(context, state)


def _exclusion(one: Values) -> Values:
    window: Values = {"startTime": one["startTime"]}
    if one.get("endTime"):
        window["endTime"] = one["endTime"]
    if one.get("exclusionOptions"):
        window["maintenanceExclusionOptions"] = dict(one["exclusionOptions"])
    return window


def _add_exclusions(outputs: Values, body: Mapping[str, Any]) -> None:
    window = (body.get("maintenancePolicy") or {}).get("window") or {}
    exclusions = window.get("maintenanceExclusions") or {}
    if "maintenancePolicy" in outputs and exclusions:
        outputs["maintenancePolicy"]["maintenanceExclusions"] = [
            {
                "exclusionName": name,
                **{key: value[key] for key in ("startTime", "endTime") if key in value},
                **(
                    {"exclusionOptions": value["maintenanceExclusionOptions"]}
                    if value.get("maintenanceExclusionOptions")
                    else {}
                ),
            }
            for name, value in sorted(exclusions.items())
        ]
    if not (outputs.get("maintenancePolicy") or {}):
        outputs.pop("maintenancePolicy", None)
