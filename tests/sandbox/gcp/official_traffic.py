"""The official Google plugin's recorded requests, and their replay. Not a test.

A recording has requests and no answers. What Google (or an emulator) chose then is chosen anew in a
replay: ids, addresses, fingerprints. `Replay` learns them from the answers as the plugin does, and
replaces the recorded ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli import recordings
from tests.sandbox.gcp.emulated_cloud import Cloud

FOLDER = recordings.official_plugin_folder()
Json = dict[str, Any]
# Collections whose ids Google chooses, in the last two segments of a path.
_CHOSEN = re.compile(
    r"(?P<kind>alertPolicies|notificationChannels|uptimeCheckConfigs|dashboards|budgets)"
    r"/(?P<id>[^/:]+)$"
)
_GROUP = re.compile(r"projects/([^/]+)/zones/([^/]+)/networkEndpointGroups/([^/\"]+)")
_MANAGED_GROUP = re.compile(
    r"projects/(?P<project>[^/]+)/zones/(?P<zone>[^/]+)/instanceGroups/"
    r"(?P<id>gke-(?P<stem>[-a-z0-9]+)-[0-9a-f]{8}-grp)"
)
_ADDRESS = re.compile(r"\b127\.\d+\.\d+\.\d+\b")
_FRESH = ("fingerprint", "labelFingerprint", "etag")


@dataclass(frozen=True)
class Sent:
    """One recorded request."""

    phase: str
    line: int
    verb: str
    path: str
    query: str
    body: str
    status: int

    @property
    def is_poll(self) -> bool:
        """Whether it looks at an operation."""
        return "/operations/" in self.path

    @property
    def place(self) -> str:
        """Where it is recorded: `01-up-dev.jsonl:12`."""
        return f"{self.phase}.jsonl:{self.line}"


def read(folder: Path = FOLDER) -> list[Sent]:
    """Every recorded request in order."""
    return [
        Sent(
            file.stem,
            number,
            found["method"],
            *(found[k] for k in ("path", "query", "body", "status")),
        )
        for file in sorted(folder.glob("*.jsonl"))
        for number, found in enumerate(map(json.loads, file.read_text().splitlines()), 1)
    ]


@dataclass
class Replay:
    """A replay in progress."""

    cloud: Cloud
    names: dict[str, str] = field(default_factory=dict)
    """Recorded id or address → the one of the replay."""
    made: dict[str, list[str]] = field(default_factory=dict)
    """Collection → ids made in the replay that no recorded id stands for yet, oldest first."""
    read: dict[str, Json] = field(default_factory=dict)
    """Path → the last answer of a GET (or of a policy's getter)."""
    groups: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    """Operations that the first look did not find done."""

    def send(self, sent: Sent) -> None:
        """Send a request; keep a note where the answer is not the recorded one."""
        self._bind(sent)
        path, text = self._renamed(sent.path), self._renamed(sent.body)
        for group in _GROUP.finditer(text + path):
            self._make_group(*group.groups())
        if sent.verb == "DELETE" and "/subnetworks/" in path:
            self._delete_groups()
        body = self._fresh(path, json.loads(text)) if text else None
        answer = self.cloud.request(sent.verb, f"{path}?{self._renamed(sent.query)}", body)
        expected = 200 if sent.status == 501 else sent.status
        if answer.status_code != expected:
            self.faults.append(
                f"{sent.place}: {sent.verb} {sent.path}: {answer.status_code}, not {expected}: "
                f"{answer.text[:300]}"
            )
            return
        given = answer.json() if answer.content else {}
        self._learn(sent, path, given)
        self._wait(path, given)

    def _bind(self, sent: Sent) -> None:
        found = _CHOSEN.search(sent.path)
        if found and found["id"] not in self.names and self.made.get(found["kind"]):
            self.names[found["id"]] = self.made[found["kind"]].pop(0)
        for group in _MANAGED_GROUP.finditer(sent.path + sent.body):
            if group["id"] not in self.names:
                self.names[group["id"]] = self._managed_group(group)
        for address in set(_ADDRESS.findall(sent.body)) - self.names.keys():
            project = sent.path.split("/projects/")[1].split("/")[0]
            url = f"/compute/v1/projects/{project}/global/addresses/{project}-models"
            self.names[address] = self.cloud.call("GET", url)["address"]

    def _managed_group(self, recorded: re.Match[str]) -> str:
        """The instance group of the same node pool and zone."""
        place = f"projects/{recorded['project']}/zones/{recorded['zone']}"
        found = self.cloud.call("GET", f"/compute/v1/{place}/instanceGroups").get("items", [])
        names = [str(group["name"]) for group in found]
        return next(name for name in names if name.startswith(f"gke-{recorded['stem']}-"))

    def _renamed(self, text: str) -> str:
        for old, new in self.names.items():
            text = text.replace(old, new)
        return text

    def _make_group(self, project: str, zone: str, name: str) -> None:
        """Make an endpoint group, as GKE's controller does for a Service."""
        folder = f"/compute/v1/projects/{project}/zones/{zone}/networkEndpointGroups"
        if self.cloud.request("GET", f"{folder}/{name}").status_code == 404:
            network = f"projects/{project}/global/networks/{project}-network"
            subnetwork = f"projects/{project}/regions/{zone[:-2]}/subnetworks/{project}-nodes"
            kind = "GCE_VM_IP_PORT"
            body = {"name": name, "networkEndpointType": kind, "network": network}
            self.cloud.call("POST", folder, body | {"subnetwork": subnetwork})
            self.groups.append(f"{folder}/{name}")

    def _delete_groups(self) -> None:
        """Delete the endpoint groups, as GKE's controller does with the Services."""
        for group in self.groups:
            self.cloud.request("DELETE", group)

    def _fresh(self, path: str, body: Json) -> Json:
        """The body with the fingerprints and etags that the client has read."""
        target = re.sub(r"(/setLabels|:setIamPolicy)$", "", path)
        known = self.read.get(target, {})
        for part in (body, body.get("policy") or {}):
            for key in _FRESH:
                if key in part and key in known:
                    part[key] = known[key]
        return body

    def _learn(self, sent: Sent, path: str, given: Json) -> None:
        if sent.verb == "GET" or path.endswith(":getIamPolicy"):
            self.read[path.removesuffix(":getIamPolicy")] = given
        kind = path.rpartition("/")[2]
        if sent.verb == "POST" and _CHOSEN.search(f"{kind}/id"):
            self.made.setdefault(kind, []).append(str(given["name"]).rpartition("/")[2])

    def _wait(self, path: str, given: Json) -> None:
        name = str(given.get("name", ""))
        if "selfLink" in given and "/operations/" in given["selfLink"]:
            root = "/".join(path.split("/")[:3])
            place = given["selfLink"].split("/projects/")[1]
            url = f"{root}/projects/{place}"
        elif "/operations/" in name or name.startswith("operations/"):
            url = "/".join([*path.split("/")[:3], name])
        else:
            return
        seen = self.cloud.call("GET", url)
        if seen.get("status") != "DONE" and not seen.get("done"):
            self.unfinished.append(f"{url}: {seen}")
        if seen.get("error"):
            self.faults.append(f"{url}: {seen['error']}")


def replayed(cloud: Cloud, requests: Iterator[Sent] | list[Sent]) -> Replay:
    """Send the requests in order, without looks at operations, which have names of their own."""
    replay = Replay(cloud)
    for sent in requests:
        if not sent.is_poll:
            replay.send(sent)
    return replay
