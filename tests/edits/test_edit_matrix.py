"""Every key of a stack file has an edit, or is named among those that have none."""

from __future__ import annotations

import pytest
from msgspec import inspect

from tests.edits import page, results
from tests.edits.edits import Edit, committed, of_key, problem
from tests.edits.effects import effect
from tests.edits.fields import Key, keys
from tests.edits.found import differences, google, normal
from tests.edits.merging import merged, paths
from tests.edits.named import named
from tests.edits.operations import performed, predicted
from tests.edits.planning import batches
from tests.edits.without import WITHOUT

LISTED = {key for group in WITHOUT.values() for key in group}
KEYS = {str(key): key for key in keys()}


def test_a_key_without_an_edit_is_a_key() -> None:
    assert LISTED - KEYS.keys() == set()
    assert len(LISTED) == sum(map(len, WITHOUT.values()))


@pytest.mark.parametrize("name", sorted(KEYS.keys() - LISTED))
def test_a_key_has_an_edit_that_the_files_checks_accept(name: str) -> None:
    found = of_key(KEYS[name])
    assert isinstance(found, Edit), found
    assert found.values != committed(found.environment)


def test_a_new_key_whose_type_gives_no_value_is_found() -> None:
    new = Key(("gke-cluster:cluster", "new"), inspect.type_info(str), False)
    assert isinstance(of_key(new), str)


@pytest.mark.parametrize("edit", list(named()), ids=lambda edit: edit.name)
def test_a_named_edit_is_accepted_by_the_files_checks(edit: Edit) -> None:
    assert problem(edit.environment, edit.values) == ""
    assert edit.values != committed(edit.environment)


def test_the_effect_of_other_certificates_is_found_without_an_account() -> None:
    edit = next(one for one in named() if one.name == "a certificate for each domain")
    found = effect(edit)
    assert (found.layers, found.refused) == (("networking",), "")


def test_edits_of_other_values_are_merged() -> None:
    base = {"a": {"x": 1, "y": 2}, "list": [{"n": 1}, {"n": 2}], "gone": 1}
    first = Edit("1", "dev", {**base, "a": {"x": 5, "y": 2}, "new": 3})
    second = Edit("2", "dev", {"a": {"x": 1, "y": 2}, "list": [{"n": 1}, {"n": 9}]})
    assert merged(base, [first, second]) == {
        "a": {"x": 5, "y": 2},
        "list": [{"n": 1}, {"n": 9}],
        "new": 3,
    }


def test_items_of_a_list_are_merged_by_their_names() -> None:
    base = {"models": [{"name": "a", "n": 1}, {"name": "b", "n": 2}]}
    first = Edit("1", "dev", {"models": [*base["models"], {"name": "c", "n": 3}]})
    second = Edit("2", "dev", {"models": [{"name": "b", "n": 4}]})
    assert merged(base, [first, second]) == {
        "models": [{"name": "b", "n": 4}, {"name": "c", "n": 3}]
    }
    assert paths(base, second.values) == {("models", "a"), ("models", "b", "n")}


def test_a_value_that_is_not_taken_back_is_a_difference() -> None:
    before = {"compute/p/networks/n": normal({"mtu": 1460, "id": "1"})}
    after = {"compute/p/networks/n": normal({"mtu": 1500, "id": "2"})}
    assert differences(before, after) == ["~ compute/p/networks/n: .mtu: 1460 is now 1500"]
    assert differences(before, before) == []
    assert differences(before, {}) == ["- compute/p/networks/n"]


def _cluster(*pools: str, version: str = "1") -> tuple[str, object]:
    held = [
        {"pool": {"name": name, "version": version}, "sizes": {"a": number}}
        for number, name in enumerate(pools)
    ]
    return "container/projects/p/locations/l/clusters/c", {"cluster": {}, "pools": held}


def test_pools_in_another_order_are_the_same_pools() -> None:
    before = dict(google([_cluster("general", "serving")]))
    assert differences(before, dict(google([_cluster("serving", "general")]))) == []
    assert differences(before, dict(google([_cluster("general")]))) != []
    upgraded = dict(google([_cluster("general", "serving", version="2")]))
    assert len(differences(before, upgraded)) == 2


def _checks(drawn: str, model: str = "resnet") -> list[tuple[str, object]]:
    name = f"acme-{model}-{drawn}"
    return [
        (
            f"monitoring/projects/p/uptimeCheckConfigs/{name}",
            {"displayName": f"acme-{model}", "name": f"projects/p/uptimeCheckConfigs/{name}"},
        ),
        (
            "monitoring/projects/p/alertPolicies/1",
            {"displayName": "uptime", "filter": f'metric.labels.check_id = "{name}"'},
        ),
    ]


def test_a_check_of_another_drawn_name_is_the_same_check() -> None:
    before = dict(google(_checks("hhHUmrqOt5w")))
    assert differences(before, dict(google(_checks("Z-Q2nO2epyo")))) == []
    assert differences(before, dict(google(_checks("hhHUmrqOt5w", model="fraud")))) != []


def test_the_time_of_issuance_and_the_count_of_changes_are_no_differences() -> None:
    def certificate(name: str, issued: float) -> dict[str, object]:
        body = {"name": name, "_issued": issued, "domains": ["models.example"]}
        return dict(google([(f"compute/projects/p/global/sslCertificates/{name}", body)]))

    assert differences(certificate("models", 1.0), certificate("models", 2.0)) == []
    assert differences(certificate("models", 1.0), certificate("other", 1.0)) != []


def test_what_google_keeps_without_effect_is_no_difference() -> None:
    def service(group: str, **more: str) -> dict[str, object]:
        body = {"backends": [{"group": f"zones/a/{group}/models"}], **more}
        return dict(google([("compute/projects/p/global/backendServices/models", body)]))

    endpoints, instances = "networkEndpointGroups", "instanceGroups"
    assert differences(service(endpoints, portName="http"), service(endpoints, portName="a")) == []
    assert differences(service(instances, portName="http"), service(instances, portName="a")) != []

    def cluster(*, makes_pools: bool, account: str) -> dict[str, object]:
        defaults = {"serviceAccount": account}
        scaling = {
            "enableNodeAutoprovisioning": makes_pools,
            "autoprovisioningNodePoolDefaults": defaults,
        }
        at = "container/projects/p/locations/l/clusters/c"
        return dict(google([(at, {"cluster": {"autoscaling": scaling}, "pools": []})]))

    off = [cluster(makes_pools=False, account=one) for one in ("default", "auto-nodes")]
    assert differences(*off) == []
    on = [cluster(makes_pools=True, account=one) for one in ("default", "auto-nodes")]
    assert differences(*on) != []

    key = "cloudkms/projects/p/locations/l/keyRings/r/cryptoKeys/k"
    ring: list[tuple[str, object]] = [(key.rpartition("/cryptoKeys")[0], {}), (key, {"labels": {}})]
    version = f"{key}/cryptoKeyVersions/1"
    assert dict(google([*ring, (version, {"state": "DESTROY_SCHEDULED"})])) == {}
    assert len(dict(google([*ring, (version, {"state": "ENABLED"})]))) == 3

    log_bucket = ("logging/projects/p/locations/l/buckets/callers", {"retentionDays": 30})
    place = "logging.googleapis.com/projects/p/locations/l/buckets/callers"
    assert dict(google([log_bucket])) == {}
    assert (
        len(dict(google([log_bucket, ("logging/projects/p/sinks/s", {"destination": place})]))) == 2
    )

    policy = "policies/iap/projects/p/iap_web/compute/services/1"
    bound = {"bindings": [{"role": "r", "members": ["group:ml@acme.example"]}]}
    assert dict(google([(policy, {"policy": {"version": 1}, "generation": 2})])) == {}
    assert differences({}, dict(google([(policy, {"policy": bound})]))) != []
    bucket = [{"role": "roles/storage.legacyBucketOwner", "members": ["projectOwner:1"]}]
    at_first: list[tuple[str, object]] = [
        ("policies/storage/b/b", {"policy": {"bindings": bucket}})
    ]
    assert dict(google(at_first)) == {}

    budgets = "billingbudgets/billingAccounts/0/budgets"
    made = [
        {f"{budgets}/{one}": {"displayName": "monthly", "name": f"{budgets}/{one}"}}
        for one in ("1fb2a38c-06ca-4684-bd63-546312a71cd9", "2fb2a38c-4492-410c-85cc-8c02afad6561")
    ]
    assert differences(*[dict(google(one.items())) for one in made]) == []


def test_the_gravest_operation_of_a_resource_counts() -> None:
    def step(op: str, kind: str = "gcp:container/nodePool:NodePool") -> dict[str, str]:
        at = {"layer": "cluster", "type": kind, "name": "general"}
        return {"event": "step", "op": op, "state": "done", **at}

    at = ("cluster", "gcp:container/nodePool:NodePool", "general")
    assert performed([step("create-replacement"), step("delete-replaced")]) == {at: "replace"}
    assert performed([step("update")]) == {at: "update"}
    assert performed([step("update", "gkeplatform:cluster:NodePools")]) == {}
    change = {"layer": at[0], "type": at[1], "name": at[2], "operation": "replace"}
    assert predicted({"changes": [], "replaced_or_deleted": [change]}) == {at: "replace"}


def test_edits_that_exclude_each_other_are_not_made_together() -> None:
    edits = {}
    for name, key, value in (
        ("more", "max_nodes", 5),
        ("most", "max_nodes", 6),
        ("labels", "labels", {"a": "b"}),
    ):
        values = committed("dev")
        values["gke-cluster:node_pools"][0][key] = value
        edits[f"a model {name}"] = Edit(name, "dev", values)
    assert sorted(map(sorted, batches(edits))) == [
        ["a model labels", "a model more"],
        ["a model most"],
    ]


def test_a_result_is_of_an_edit_that_there_is() -> None:
    edits = KEYS.keys() | {edit.name for edit in named()}
    assert results.read().keys() - edits == set()


def test_the_page_has_a_row_for_every_key_and_named_edit() -> None:
    (text,) = page.render().values()
    for name in (*KEYS, *(edit.name for edit in named())):
        assert f"| `{page.shown(name)}` |" in text or f"| {name} |" in text, name


def test_the_page_tells_how_much_was_predicted() -> None:
    record = {"verdict": "converges", "steps": [], "layers": ["serving"], "seconds": 9.5,
              "together": 1, "sent": 10, "lost": 0, "resources": 5, "unpredicted": ["a"],
              "unknown": []}  # fmt: skip
    assert page.figures(record) == ["in place", "4 of 5", "serving", "9.5", "1", "0 of 10"]
    record["unknown"] = ["environment"]
    assert page.figures(record)[1] == "4 of 5, without environment"
    assert page.figures({"verdict": "refused"}) == [""] * 6


def test_updates_do_what_their_previews_say() -> None:
    made = [one for one in results.read().values() if one.get("resources")]
    missed = [text for one in made for text in one["unpredicted"]]
    assert len(missed) <= sum(one["resources"] for one in made) / 100
    grave = ("replace done", "delete done")
    assert [text for text in missed if text.endswith(grave)] == []
