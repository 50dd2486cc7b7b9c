"""The data sources, with the official provider's outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.plugins.gcp import named
from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.named import Function, found_at, resource, set_location
from sandbox.plugins.gcp.registry import handler_of
from sandbox.plugins.gcp.spec import Values


def get_network_endpoint_group(context: Context, args: Values) -> Values:
    """A zonal network endpoint group, by name and zone or by its link."""
    set_location(context, args, "compute", "zone")
    context.from_link("name", args.get("selfLink"))
    context.subject = f"network endpoint group {context.values.get('name')}"
    template = "projects/{project}/zones/{zone}/networkEndpointGroups/{name}"
    return resource(context, "gcp:compute/networkEndpointGroup:NetworkEndpointGroup", template)


def get_instance_group_manager(context: Context, args: Values) -> Values:
    """An instance group manager, by name and zone or by its link."""
    set_location(context, args, "compute", "zone")
    context.from_link("name", args.get("selfLink"))
    context.subject = f"instance group manager {context.values.get('name')}"
    path = context.fill("projects/{project}/zones/{zone}/instanceGroupManagers/{name}")
    body = found_at(context, path)
    same = ("name", "baseInstanceName", "creationTimestamp", "fingerprint", "instanceGroup")
    return {
        "id": path,
        "project": context.fill("{project}"),
        "zone": context.values["zone"],
        "selfLink": context.link(path),
        "targetSize": body.get("targetSize", 0),
        "namedPorts": list(body.get("namedPorts", ())),
        **{key: body.get(key, "") for key in same},
    }


def get_zones(context: Context, args: Values) -> Values:
    """The names of a region's zones."""
    set_location(context, args, "compute", "region")
    context.subject = "zones"
    project, region = context.fill("{project}"), context.fill("{region}")
    names = [
        zone["name"]
        for zone in _pages(context, f"projects/{project}/zones", "items")
        if str(zone.get("region", "")).rpartition("/")[2] == region
        and args.get("status") in (None, zone.get("status"))
    ]
    return {
        "id": f"projects/{project}/regions/{region}",
        "names": sorted(names),
        "project": project,
        "region": region,
        "status": args.get("status"),
    }


def get_project(context: Context, args: Values) -> Values:
    """A project; by default the provider's."""
    project = args.get("projectId") or context.config.setting("project")
    set_location(context, {"project": project}, "cloudresourcemanager")
    context.subject = "project"
    body = context.get(context.fill("projects/{project}"))
    parent = body.get("parent") or {}
    labels = body.get("labels") or {}
    return {
        "id": f"projects/{project}",
        "projectId": body.get("projectId", project),
        "number": str(body.get("projectNumber", "")),
        "name": body.get("name", ""),
        "orgId": parent.get("id", "") if parent.get("type") == "organization" else "",
        "folderId": parent.get("id", "") if parent.get("type") == "folder" else "",
        "labels": labels,
        "effectiveLabels": labels,
        "pulumiLabels": labels,
        "billingAccount": _billing_account(context),
        "autoCreateNetwork": False,
        "deletionPolicy": "",
        "tags": {},
    }


def _billing_account(context: Context) -> str:
    """The id of the project's billing account; "" without one."""
    info = context.find(context.fill("projects/{project}/billingInfo"), service="cloudbilling")
    return str((info or {}).get("billingAccountName", "")).removeprefix("billingAccounts/")


def get_engine_versions(context: Context, args: Values) -> Values:
    """The GKE versions of a location."""
    set_location(context, args, "container", "location")
    context.subject = "engine versions"
    place = context.fill("projects/{project}/locations/{location}")
    config = context.get(f"{place}/serverConfig")
    prefix = args.get("versionPrefix") or ""
    masters = [one for one in config.get("validMasterVersions", ()) if one.startswith(prefix)]
    nodes = [one for one in config.get("validNodeVersions", ()) if one.startswith(prefix)]
    channels = {one["channel"]: one for one in config.get("channels", ())}

    def of_channel(key: str) -> dict[str, str]:
        return {name: one[key] for name, one in channels.items() if one.get(key)}

    latest = {
        name: next((v for v in one.get("validVersions", ()) if v.startswith(prefix)), "")
        for name, one in channels.items()
    }
    return {
        "id": place,
        "project": context.values["project"],
        "location": context.values["location"],
        "versionPrefix": args.get("versionPrefix"),
        "defaultClusterVersion": config.get("defaultClusterVersion", ""),
        "validMasterVersions": masters,
        "validNodeVersions": nodes,
        "latestMasterVersion": masters[0] if masters else "",
        "latestNodeVersion": nodes[0] if nodes else "",
        "releaseChannelDefaultVersion": of_channel("defaultVersion"),
        "releaseChannelLatestVersion": latest,
        "releaseChannelUpgradeTargetVersion": of_channel("upgradeTargetVersion"),
    }


def get_client_config(context: Context, args: Values) -> Values:  # noqa: ARG001  # it takes none
    """The provider's configuration."""
    config = context.config
    return {
        "id": "clientConfig",
        "project": config.setting("project"),
        "region": config.setting("region"),
        "zone": config.setting("zone"),
        "accessToken": config.token,
        "defaultLabels": config.labels,
    }


def get_certificate(context: Context, args: Values) -> Values:
    """A classic certificate, self-managed or managed; `expireTime` is empty before it is issued."""
    set_location(context, args, "compute")
    context.subject = f"certificate {args.get('name')}"
    path = context.fill("projects/{project}/global/sslCertificates/{name}")
    body = found_at(context, path)
    empty = ("deletionPolicy", "namePrefix", "privateKey", "privateKeyWo", "privateKeyWoVersion")
    same = ("name", "certificate", "creationTimestamp", "description", "expireTime")
    return {
        "id": path,
        "project": context.fill("{project}"),
        "selfLink": context.link(path),
        "certificateId": int(body["id"]),
        **dict.fromkeys(empty, ""),
        **{key: body.get(key, "") for key in same},
    }


def get_certificates(context: Context, args: Values) -> Values:
    """The certificates of a location in Certificate Manager; by default global."""
    set_location(context, args, "certificatemanager")
    context.subject = "certificates"
    place = f"projects/{context.fill('{project}')}/locations/{args.get('region') or 'global'}"
    handler = handler_of("gcp:certificatemanager/certificate:Certificate")
    assert handler is not None  # noqa: S101  # a type of this plugin's own
    found = []
    for body in _pages(context, f"{place}/certificates", "certificates", args.get("filter")):
        outputs = handler.from_api(body)
        found.append(
            {
                "name": body["name"],
                "location": args.get("region") or "global",
                "project": context.values["project"],
                "description": body.get("description", ""),
                "labels": body.get("labels") or {},
                "effectiveLabels": body.get("labels") or {},
                "pulumiLabels": body.get("labels") or {},
                "deletionPolicy": "",
                "scope": body.get("scope", "DEFAULT"),
                "sanDnsnames": body.get("sanDnsnames", []),
                "manageds": [outputs["managed"]] if outputs.get("managed") else [],
            }
        )
    return {
        "id": place,
        "filter": args.get("filter"),
        "region": args.get("region"),
        "certificates": found,
    }


def _pages(
    context: Context, path: str, key: str, filter_: str | None = None
) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    token = None
    query = {"filter": filter_} if filter_ else {}
    while True:
        page = context.get(path, query | ({"pageToken": token} if token else {}))
        found.extend(page.get(key, ()))
        token = page.get("nextPageToken")
        if not token:
            return found


FUNCTIONS: dict[str, Function] = {
    "gcp:compute/getNetworkEndpointGroup:getNetworkEndpointGroup": get_network_endpoint_group,
    "gcp:compute/getInstanceGroupManager:getInstanceGroupManager": get_instance_group_manager,
    "gcp:compute/getZones:getZones": get_zones,
    "gcp:compute/getCertificate:getCertificate": get_certificate,
    "gcp:certificatemanager/getCertificates:getCertificates": get_certificates,
    "gcp:organizations/getProject:getProject": get_project,
    "gcp:organizations/getClientConfig:getClientConfig": get_client_config,
    "gcp:container/getEngineVersions:getEngineVersions": get_engine_versions,
    **named.FUNCTIONS,
}
