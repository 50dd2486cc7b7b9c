"""What the edits name and another team makes beforehand: keys, a bucket, and a zone of DNS."""

from __future__ import annotations

import json

from tests.rehearsal.workspace import Workspace

PROJECT, RING, KEYS = "acme-keys", "gke", ("secrets", "backups", "disks")
BUCKET = "acme-shared-models"
PULLS = "registry"
ZONE = "acme-example"
LOCATION = f"projects/{PROJECT}/locations/europe-west4"


def key(name: str) -> str:
    """The full name of one of `KEYS`."""
    return f"{LOCATION}/keyRings/{RING}/cryptoKeys/{name}"


def make_secret(workspace: Workspace, environment: str) -> None:
    """Make the Secret by which nodes pull images; its namespace is made by serving."""
    context = ("--context", workspace.context_of(environment), "-n", "models")
    text = json.dumps({"auths": {}})
    workspace.kubectl(
        *context, "create", "secret", "generic", PULLS, "--type=kubernetes.io/dockerconfigjson",
        f"--from-literal=.dockerconfigjson={text}", check=False,
    )  # fmt: skip


def make(workspace: Workspace) -> None:
    """Make them, where the sandbox does not have them yet."""
    workspace.platformctl("sandbox", "start")
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
