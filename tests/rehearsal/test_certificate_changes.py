"""Certificates change without a gap: the new one is issued before the old one is removed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import yaml

from sandbox.gcp.service import ISSUANCE_SECONDS
from sandbox.traffic.runtime.authority import Authority
from tests.pairs import pair
from tests.rehearsal.loads import under_load
from tests.rehearsal.workspace import Workspace, changed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]

PROJECT = "projects/acme-ml-dev"
DOMAINS = ["models.dev.acme.example", "translate.dev.acme.example"]
NEW = "new.dev.acme.example"
KEY = "gke-networking:certificates"
WIDE = {
    "name": "wide",
    "kind": "certificate-manager",
    "domains": ["dev.acme.example", "*.dev.acme.example"],
}
"""In place of the classic certificate it makes a certificate map."""


@pytest.fixture
def stack_file(dev: Workspace) -> Iterator[Workspace]:
    """Dev with a stack file that a test may change; both are restored at the end."""
    path = dev.root / "stacks" / "Pulumi.dev.yaml"
    before = path.read_text()
    try:
        yield dev
    finally:
        path.write_text(before)
        issuing_takes(dev, 0)
        restore = partial(dev.platformctl, "rehearse", "dev", "--layer", "networking")
        if restore(check=False).returncode:
            # Not in place of a certificate map, nor of a self-managed one: without HTTPS first.
            certificates(dev)
            up(dev)
            path.write_text(before)
            restore()
        issuing_takes(dev, ISSUANCE_SECONDS)


def issuing_takes(dev: Workspace, seconds: float) -> None:
    """Let the emulated Google take so long to issue a certificate."""
    dev.google("compute", "../../sandbox/v1/certificates", "PUT", json={"seconds": seconds})


def certificates(dev: Workspace, *wanted: dict[str, Any], domains: tuple[str, ...] = ()) -> None:
    """Write the stack file with the given certificates, and further domains."""
    path = dev.root / "stacks" / "Pulumi.dev.yaml"
    document = yaml.safe_load(path.read_text())
    document["config"][KEY] = list(wanted)
    document["config"]["gke-networking:domains"] += [{"name": one} for one in domains]
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def up(dev: Workspace) -> str:
    return dev.run(
        "pulumi", "up", "-s", "dev", "--yes", "--skip-preview", layer="networking"
    ).stdout


def writes(dev: Workspace, first: str) -> list[str]:
    """The requests that changed certificates or proxies since the last match of `first`."""
    requests = dev.google("compute", "../../sandbox/v1/requests")["requests"]
    words = re.compile(r"sslCertificates|[cC]ertificateMap|certificates|targetHttps|setTarget")
    found = [
        f"{one['method']} {one['path'].rpartition('/projects/acme-ml-dev/')[2]}"
        for one in requests
        if one["method"] != "GET" and words.search(one["path"]) and one["status"] == 200
    ]
    return found[len(found) - 1 - found[::-1].index(first) :]


def served(dev: Workspace) -> tuple[str, dict[str, Any]]:
    """The name and body of the target proxy on port 443."""
    rules = dev.google("compute", f"{PROJECT}/global/forwardingRules")["items"]
    (rule,) = [one for one in rules if one["portRange"] == "443-443"]
    name = rule["target"].rpartition("/")[2]
    return name, dev.google("compute", f"{PROJECT}/global/targetHttpsProxies/{name}")


def names(dev: Workspace) -> list[str]:
    found = dev.google("compute", f"{PROJECT}/global/sslCertificates").get("items", [])
    return [one["name"] for one in found]


def test_a_classic_certificate_is_active_on_the_proxy_of_the_models(dev: Workspace) -> None:
    (name,) = names(dev)
    managed = dev.google("compute", f"{PROJECT}/global/sslCertificates/{name}")["managed"]
    assert managed["status"] == "ACTIVE"
    assert managed["domainStatus"] == dict.fromkeys(DOMAINS, "ACTIVE")
    _, proxy = served(dev)
    policy = proxy["sslPolicy"].rpartition("/")[2]
    found = dev.google("compute", f"{PROJECT}/global/sslPolicies/{policy}")
    assert (found["minTlsVersion"], found["profile"]) == ("TLS_1_2", "MODERN")


def test_a_certificate_changes_without_a_gap(stack_file: Workspace) -> None:
    dev = stack_file
    (old,) = names(dev)
    found: dict[str, Any] = {}
    with under_load(dev, "dev", "resnet", found):
        # Google issues a classic certificate only once the proxy has it, beside the former one.
        issuing_takes(dev, 10)
        kept = {"name": "models", "kind": "google-managed"}
        certificates(dev, {**kept, "domains": [*DOMAINS, NEW]}, domains=(NEW,))
        said = dev.platformctl("rehearse", "dev", "--layer", "networking").stderr
        (new,) = names(dev)
        assert new != old
        assert f"{new} is PROVISIONING" in said
        steps = [step.replace(old, "OLD") for step in writes(dev, "POST global/sslCertificates")]
        assert steps == [
            "POST global/sslCertificates",
            *["POST targetHttpsProxies/acme-ml-dev-models-https/setSslCertificates"] * 2,
            "DELETE global/sslCertificates/OLD",
        ]
        proxy_name, proxy = served(dev)
        assert [link.rpartition("/")[2] for link in proxy["sslCertificates"]] == [new]
        again = dev.platformctl("rehearse", "dev", "--layer", "networking", "--json").stdout
        assert changed(json.loads(again))["networking"] == {}

        # From a classic certificate to a map: once that can serve, the rule moves to another proxy.
        issuing_takes(dev, 2)
        certificates(dev, WIDE)
        up(dev)
    assert found["sent"] > 0
    assert not any(found["lost"].values()), found
    assert names(dev) == []
    steps = writes(dev, "POST locations/global/certificates")
    (moved,) = [i for i, step in enumerate(steps) if "setTarget" in step]
    assert all("DELETE" not in step for step in steps[:moved])
    assert f"DELETE global/targetHttpsProxies/{proxy_name}" in steps[moved:]
    entries = [i for i, step in enumerate(steps) if "POST" in step and "MapEntries" in step]
    assert max(entries) < moved
    _, proxy = served(dev)
    assert proxy["certificateMap"].endswith("/certificateMaps/acme-ml-dev-models")
    _in_the_map(dev, WIDE)


def _in_the_map(dev: Workspace, wide: dict[str, Any]) -> None:
    # In the map the new one is issued, authorized by DNS, before an entry names it.
    base = f"{PROJECT}/locations/global"
    (first,) = dev.google("certificate_manager", f"{base}/certificates")["certificates"]
    certificates(dev, {**wide, "domains": [*wide["domains"], "eu.dev.acme.example"]})
    up(dev)
    (second,) = dev.google("certificate_manager", f"{base}/certificates")["certificates"]
    assert second["managed"]["state"] == "ACTIVE"
    assert second["name"] != first["name"]
    made = writes(dev, "POST locations/global/certificates")
    steps = [step.split("/")[-2] if "PATCH" in step else step for step in made]
    assert steps == [
        "POST locations/global/certificates",
        *["certificateMapEntries"] * 4,
        f"DELETE {first['name'].removeprefix(f'{PROJECT}/')}",
    ]

    # One that Google cannot issue, for lack of a DNS authorization, replaces nothing.
    unproven = {**wide, "domains": [*wide["domains"], "models.other.example"], "wait_seconds": 2}
    certificates(dev, unproven)
    failed = dev.run(
        "pulumi", "up", "-s", "dev", "--yes", "--skip-preview", layer="networking", check=False
    )
    said = failed.stdout + failed.stderr
    assert failed.returncode != 0
    assert "is PROVISIONING after 2 seconds" in said
    assert f"{second['name'].rpartition('/')[2]} still serves" in said
    assert "Traceback" not in said
    assert serving(dev) == [second["name"].rpartition("/")[2]]


def serving(dev: Workspace) -> list[str]:
    """The certificates that the map's entries name, each once."""
    entries = dev.google(
        "certificate_manager",
        f"{PROJECT}/locations/global/certificateMaps/acme-ml-dev-models/certificateMapEntries",
    )["certificateMapEntries"]
    named = [name for entry in entries for name in entry["certificates"]]
    return [one.rpartition("/")[2] for one in dict.fromkeys(named)]


def test_one_that_the_load_balancer_proves_takes_over_beside_the_former(
    stack_file: Workspace,
) -> None:
    dev = stack_file
    issuing_takes(dev, 0)
    certificates(dev, WIDE)
    up(dev)
    (former,) = serving(dev)
    narrow = {**WIDE, "name": "narrow", "domains": DOMAINS, "authorization": "load-balancer"}
    certificates(dev, narrow)
    refused = dev.platformctl("rehearse", "dev", "--layer", "networking", check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert f"{DOMAINS[0]} is served by {former}: Google issues acme-ml-dev-narrow-" in said
    assert "stacks/Pulumi.dev.yaml:" in said

    found: dict[str, Any] = {}
    with under_load(dev, "dev", "resnet", found):
        issuing_takes(dev, 600)
        certificates(dev, WIDE, {**narrow, "replaces": "wide"})
        up(dev)
        new, old = serving(dev)
        assert old == former
        issuing_takes(dev, 0)
        certificates(dev, narrow)
        up(dev)
        assert serving(dev) == [new]
    assert found["sent"] > 0
    assert not any(found["lost"].values()), found
    again = dev.platformctl("rehearse", "dev", "--layer", "networking", "--json").stdout
    assert changed(json.loads(again))["networking"] == {}


def test_a_certificate_map_is_left_by_a_self_managed_certificate(stack_file: Workspace) -> None:
    dev = stack_file
    certificates(dev, WIDE)
    up(dev)
    before = served(dev)
    assert before[1]["certificateMap"]
    managed = {"name": "models", "kind": "google-managed", "domains": DOMAINS}
    certificates(dev, managed)
    refused = dev.platformctl("rehearse", "dev", "--layer", "networking", check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "certificate map at once, and Google issues it only once the load balancer" in said
    assert "stacks/Pulumi.dev.yaml:" in said
    assert (served(dev), names(dev)) == (before, [])

    pair = Authority(dev.home / "traffic").issue(DOMAINS, "of one's own")
    own = {"name": "own", "kind": "self-managed", "domains": DOMAINS}
    found: dict[str, Any] = {}
    with under_load(dev, "dev", "resnet", found):
        issuing_takes(dev, 10)
        certificates(
            dev,
            {**own, "certificate": pair.chain.read_text()},
            {**managed, "replaces": "own"},
        )
        setting = ["pulumi", "config", "set", "-s", "dev", "--secret", "--path"]
        key = "gke-networking:private_keys.own"
        dev.run(*setting, key, "--", pair.key.read_text(), layer="networking")
        up(dev)
        assert len(served(dev)[1]["sslCertificates"]) == 2
        issuing_takes(dev, 0)
        dev.run("pulumi", "config", "rm", "-s", "dev", "--path", key, layer="networking")
        certificates(dev, managed)
        up(dev)
        assert [name for name in names(dev) if "own" in name] == []
    assert found["sent"] > 0
    assert not any(found["lost"].values()), found
    again = dev.platformctl("rehearse", "dev", "--layer", "networking", "--json").stdout
    assert changed(json.loads(again))["networking"] == {}


def test_plain_updates_keep_the_former_certificate_until_the_new_one_is_issued(
    stack_file: Workspace,
) -> None:
    dev = stack_file
    (old,) = names(dev)
    issuing_takes(dev, 600)
    changed_one = {"name": "renamed", "kind": "google-managed", "domains": [*DOMAINS, NEW]}
    certificates(dev, changed_one, domains=(NEW,))
    for _ in range(2):  # the second finds it as it is: Google is not done
        said = up(dev)
        assert f"{old} serves until Google has issued acme-ml-dev-renamed-" in said
        _, proxy = served(dev)
        first, second = (link.rpartition("/")[2] for link in proxy["sslCertificates"])
        assert (first, {first, second}) == (old, set(names(dev)))
    issuing_takes(dev, 0)
    assert "serves until" not in up(dev)
    assert names(dev) == [second]


def test_a_replacement_that_failed_halfway_is_taken_back(stack_file: Workspace) -> None:
    dev = stack_file
    path = dev.root / "stacks" / "Pulumi.dev.yaml"
    text = path.read_text()
    before = names(dev)
    document = yaml.safe_load(text)
    (certificate,) = document["config"][KEY]
    certificate["domains"] = [*DOMAINS, "new.dev.acme.example"]
    document["config"]["gke-networking:dns"]["zone"] = "absent"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    failed = dev.platformctl("rehearse", "dev", "--layer", "networking", check=False)
    assert "absent" in failed.stdout + failed.stderr
    assert len(names(dev)) == 2, "the engine has not come to deletions"

    path.write_text(text)
    dev.platformctl("rehearse", "dev", "--layer", "networking")
    assert names(dev) == before
    _, proxy = served(dev)
    assert [link.rpartition("/")[2] for link in proxy["sslCertificates"]] == before
    assert changed(dev.rehearse("dev"))["networking"] == {}


def test_no_private_key_is_in_plaintext(stack_file: Workspace) -> None:
    dev = stack_file
    certificate, key = pair(*DOMAINS)
    body = key.splitlines()[1]
    own = {"name": "own", "kind": "self-managed", "domains": DOMAINS, "certificate": certificate}
    certificates(dev, own)
    path = dev.root / "stacks" / "Pulumi.dev.yaml"
    without = path.read_text()
    document = yaml.safe_load(without)
    document["config"]["gke-networking:private_keys"] = {"own": key}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    refused = dev.run("pulumi", "up", "-s", "dev", "--yes", layer="networking", check=False)
    assert refused.returncode != 0
    assert "the private key of own is not encrypted" in refused.stdout + refused.stderr
    assert body not in refused.stdout + refused.stderr

    path.write_text(without)
    setting = ["pulumi", "config", "set", "-s", "dev", "--secret", "--path"]
    dev.run(*setting, "gke-networking:private_keys.own", "--", key, layer="networking")
    assert body not in path.read_text()
    said = up(dev)
    (name,) = names(dev)
    found = dev.google("compute", f"{PROJECT}/global/sslCertificates/{name}")
    assert found["type"] == "SELF_MANAGED"
    assert served(dev)[1]["sslCertificates"] == [found["selfLink"]]
    texts = [said, str(dev.state("networking")), str(found)]

    # With a certificate of Certificate Manager present, it goes into the map, too.
    other = {"name": "new", "kind": "certificate-manager", "domains": ["new.dev.acme.example"]}
    certificates(dev, own, other)
    texts.append(up(dev))
    base = f"{PROJECT}/locations/global"
    listed = dev.google("certificate_manager", f"{base}/certificates")["certificates"]
    assert sorted("managed" in one for one in listed) == [False, True]
    texts += [str(listed), str(dev.state("networking"))]
    for text in texts:
        assert body not in text
