"""What the edits name and another team makes beforehand: keys, secrets, a certificate and more."""

from __future__ import annotations

import base64
import json

from tests.rehearsal.workspace import Workspace

PROJECT, RING, KEYS = "acme-keys", "gke", ("secrets", "backups", "disks")
BUCKET = "acme-shared-models"
PULLS = "registry"
ZONE = "acme-example"
VOLUMES = {"config_map": "settings", "secret": "credentials"}
"""Of `lab.yaml`, in the cluster: what a pod mounts."""
SECRETS = {"key-web": 2, "key-more": 1, "hub": 2, "hub-edited": 2}
"""Of `lab.yaml`, in Secret Manager: how many versions each has."""
CERTIFICATE = "edited"
"""Of the inference Gateway in stage's project."""
ARMOR = "edited"
"""A global Cloud Armor policy of stage's project."""
TOPICS, SUBSCRIPTIONS = ("alerts", "edited"), ("words", "edited")
"""Of `lab.yaml`, in Pub/Sub."""
LOCATION = f"projects/{PROJECT}/locations/europe-west4"


def key(name: str) -> str:
    """The full name of one of `KEYS`."""
    return f"{LOCATION}/keyRings/{RING}/cryptoKeys/{name}"


def make_in_cluster(workspace: Workspace, environment: str) -> None:
    """Make the Secret by which nodes pull images, and what pods mount.

    Their namespace is made by serving.
    """
    context = ("--context", workspace.context_of(environment), "-n", "models")
    text = json.dumps({"auths": {}})
    workspace.kubectl(
        *context, "create", "secret", "generic", PULLS, "--type=kubernetes.io/dockerconfigjson",
        f"--from-literal=.dockerconfigjson={text}", check=False,
    )  # fmt: skip
    settings = VOLUMES["config_map"]
    workspace.kubectl(*context, "create", "configmap", settings, "--from-literal=a=b", check=False)
    workspace.kubectl(
        *context,
        "create",
        "secret",
        "generic",
        VOLUMES["secret"],
        "--from-literal=a=b",
        check=False,
    )


def make(workspace: Workspace) -> None:
    """Make them, where the sandbox does not have them yet."""
    workspace.platformctl("sandbox", "start")
    _make_secrets(workspace, "acme-ml-lab")
    _make_certificate(workspace, "acme-ml-stage")
    _make_armor(workspace, "acme-ml-stage")
    _make_topics(workspace, "acme-ml-lab")
    workspace.google(
        "service_usage", f"projects/{PROJECT}/services/cloudkms.googleapis.com:enable", "POST"
    )
    zones = "projects/acme-ml-dev/managedZones"
    if ZONE not in str(workspace.google("dns", zones)):
        zone = {"name": ZONE, "dnsName": "dev.acme.example.", "description": ""}
        workspace.google("dns", zones, "POST", json=zone)
    rings = f"{LOCATION}/keyRings"
    if RING in str(workspace.google("kms", rings)):
        return
    workspace.google("storage", "b", "POST", params={"project": PROJECT}, json={"name": BUCKET})
    workspace.google("kms", rings, "POST", params={"keyRingId": RING}, json={})
    for name in KEYS:
        purpose = {"purpose": "ENCRYPT_DECRYPT"}
        path = f"{rings}/{RING}/cryptoKeys"
        workspace.google("kms", path, "POST", params={"cryptoKeyId": name}, json=purpose)


def _make_secrets(workspace: Workspace, project: str) -> None:
    services = f"projects/{project}/services"
    workspace.google("service_usage", f"{services}/secretmanager.googleapis.com:enable", "POST")
    path = f"projects/{project}/secrets"
    there = str(workspace.google("secret_manager", path))
    for secret, versions in SECRETS.items():
        if f"/{secret}'" in there:
            continue
        body: dict[str, object] = {"replication": {"automatic": {}}}
        workspace.google("secret_manager", f"{path}?secretId={secret}", "POST", json=body)
        for number in range(versions):
            data = base64.b64encode(f"{secret}-{number}-0123456789abcdef".encode()).decode()
            added = {"payload": {"data": data}}
            workspace.google("secret_manager", f"{path}/{secret}:addVersion", "POST", json=added)


def _make_certificate(workspace: Workspace, project: str) -> None:
    services = f"projects/{project}/services"
    workspace.google(
        "service_usage", f"{services}/certificatemanager.googleapis.com:enable", "POST"
    )
    path = f"projects/{project}/locations/europe-west4/certificates"
    if f"/{CERTIFICATE}'" in str(workspace.google("certificate_manager", path)):
        return
    body = {"managed": {"domains": ["llm.stage.acme.example"]}}
    options = {"certificateId": CERTIFICATE}
    workspace.google("certificate_manager", path, "POST", params=options, json=body)


def _make_armor(workspace: Workspace, project: str) -> None:
    workspace.google(
        "service_usage", f"projects/{project}/services/compute.googleapis.com:enable", "POST"
    )
    path = f"projects/{project}/global/securityPolicies"
    if f"'{ARMOR}'" not in str(workspace.google("compute", path)):
        workspace.google("compute", path, "POST", json={"name": ARMOR, "type": "CLOUD_ARMOR"})


def _make_topics(workspace: Workspace, project: str) -> None:
    services = f"projects/{project}/services"
    workspace.google("service_usage", f"{services}/pubsub.googleapis.com:enable", "POST")
    topics, subscriptions = (f"projects/{project}/{kind}" for kind in ("topics", "subscriptions"))
    there = str(workspace.google("pubsub", topics))
    for name in TOPICS:
        if f"/topics/{name}'" not in there:
            workspace.google("pubsub", f"{topics}/{name}", "PUT", json={})
    there = str(workspace.google("pubsub", subscriptions))
    for name in SUBSCRIPTIONS:
        if f"/subscriptions/{name}'" not in there:
            body = {"topic": f"{topics}/{TOPICS[0]}"}
            workspace.google("pubsub", f"{subscriptions}/{name}", "PUT", json=body)
