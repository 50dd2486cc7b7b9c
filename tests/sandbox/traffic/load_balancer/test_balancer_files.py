"""A change rewrites the files that it concerns, and no others; pure tests."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from sandbox.traffic.load_balancer import files
from tests.sandbox.traffic.load_balancer.test_balancer_configuration import base, configured, link

MAP = "compute/projects/p/global/urlMaps/main"
ENDPOINTS = "compute-endpoints/projects/p/zones/europe-west4-a/networkEndpointGroups/g"


def test_a_change_of_weights_touches_the_routes_alone(tmp_path: Path) -> None:
    documents = base()
    weighted = {"backendService": link("global/backendServices/main"), "weight": 1}
    rule = documents[MAP]["pathMatchers"][0]["routeRules"][0]
    del rule["service"]
    rule["routeAction"] = {"weightedBackendServices": [weighted]}
    assert len(files.write(tmp_path, configured(documents).files)) == 4
    assert files.write(tmp_path, configured(documents).files) == []
    weighted["weight"] = 7
    assert files.write(tmp_path, configured(documents).files) == ["rds.p.global.urlMaps.main.json"]


def test_a_change_of_endpoints_touches_their_file_alone(tmp_path: Path) -> None:
    documents = base()
    files.write(tmp_path, configured(documents).files)
    documents[f"{ENDPOINTS}/other"] = {"ipAddress": "10.64.1.8", "port": 8501}
    changed = files.write(tmp_path, configured(documents).files)
    assert changed == ["eds.p.global.backendServices.main.json"]


def test_clusters_are_written_before_the_routes_to_them(tmp_path: Path) -> None:
    written = files.write(tmp_path, configured(base()).files)
    assert [name.partition(".")[0] for name in written] == ["eds", "cds", "rds", "lds"]


def test_configuring_changes_no_document() -> None:
    documents = base()
    before = deepcopy(documents)
    first = configured(documents)
    assert documents == before
    assert configured(documents) == first
