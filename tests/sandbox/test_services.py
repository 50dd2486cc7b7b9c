"""The table of services: what is derived from it, and that there is no second list."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest

import sandbox.services
from sandbox import installation
from sandbox.gcp import coverage, discovery, documents_update
from sandbox.gcp.router import Router
from sandbox.gcp.service import Call, Service
from sandbox.gcp.services import all_services
from sandbox.home import Home
from sandbox.plugins.gcp.config import Config
from sandbox.plugins.gcp.registry import PACKAGES, specs
from sandbox.services import SERVICES, GoogleService, addresses
from tests.sandbox.gcp.emulated_cloud import Cloud

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "sandbox/services.py"
OF_GOOGLE = (ROOT / "sandbox/gcp/iam_roles.py", ROOT / "sandbox/gcp/services/serviceusage.py")
"""What Google says of services, emulated or not: their roles, and which need which."""
NAMES = frozenset(row.name for row in SERVICES) | {
    next(iter(row.endpoints)).lower().replace("_", "") for row in SERVICES
}
# The variables that the official plugin (9.35) reads, of the services that we have, and where each
# is led. It replaces a version at the end by its own (`container` is asked as v1beta1).
OFFICIAL = {
    "GOOGLE_BILLING_BUDGETS_CUSTOM_ENDPOINT": "/billingbudgets/v1/",
    "GOOGLE_CERTIFICATE_MANAGER_CUSTOM_ENDPOINT": "/certificatemanager/v1/",
    "GOOGLE_CLOUD_BILLING_CUSTOM_ENDPOINT": "/cloudbilling/v1/",
    "GOOGLE_COMPUTE_CUSTOM_ENDPOINT": "/compute/v1/",
    "GOOGLE_CONTAINER_CUSTOM_ENDPOINT": "/container/v1/",
    "GOOGLE_DNS_CUSTOM_ENDPOINT": "/dns/v1/",
    "GOOGLE_GKE_BACKUP_CUSTOM_ENDPOINT": "/gkebackup/v1/",
    "GOOGLE_IAM_BETA_CUSTOM_ENDPOINT": "/iam/v1/",
    "GOOGLE_IAP_CUSTOM_ENDPOINT": "/iap/v1/",
    "GOOGLE_KMS_CUSTOM_ENDPOINT": "/cloudkms/v1/",
    "GOOGLE_LOGGING_CUSTOM_ENDPOINT": "/logging/v2/",
    "GOOGLE_MONITORING_CUSTOM_ENDPOINT": "/monitoring/",
    "GOOGLE_PUBSUB_CUSTOM_ENDPOINT": "/pubsub/v1/",
    "GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT": "/cloudresourcemanager/v1/",
    "GOOGLE_SECRET_MANAGER_CUSTOM_ENDPOINT": "/secretmanager/v1/",
    "GOOGLE_SERVICE_USAGE_CUSTOM_ENDPOINT": "/serviceusage/v1/",
    "GOOGLE_STORAGE_CUSTOM_ENDPOINT": "/storage/v1/",
}


def test_the_variables_are_those_of_the_official_provider() -> None:
    found = addresses("http://127.0.0.1:1")
    assert {name: found[name].removeprefix("http://127.0.0.1:1") for name in OFFICIAL} == OFFICIAL


UNUSED = {"networkconnectivity"}
"""Services of which our environments have nothing, so the table above lacks their variables."""


def test_each_service_has_a_variable_of_the_official_provider() -> None:
    for row in SERVICES:
        assert row.name in UNUSED or row.addresses("http://127.0.0.1:1").keys() & OFFICIAL.keys(), (
            row.name
        )


def test_a_rehearsal_validates_regions_nowhere_else(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    found = installation.environment(home, 1, {})
    assert found["PULUMI_GCP_SKIP_REGION_VALIDATION"] == "true"


def test_the_sdk_has_each_option_that_the_plugin_reads() -> None:
    specification = importlib.util.find_spec("pulumi_gcp")
    assert specification is not None
    assert specification.origin is not None
    text = Path(specification.origin).with_name("provider.py").read_text()
    known = set(re.findall(r'name="(\w+CustomEndpoint)"', text))
    assert {row.option for row in SERVICES} <= known


@pytest.mark.parametrize("row", SERVICES, ids=lambda row: row.name)
def test_a_service_is_reached_by_its_variable_and_by_its_host(
    row: GoogleService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, address in addresses("http://127.0.0.1:1").items():
        monkeypatch.setenv(name, address)
    router = Router()
    by_variable = Config().endpoint(row.name)
    by_host = row.official_address
    assert by_variable.startswith("http://127.0.0.1:1/")
    for url in map(urlsplit, (by_variable, by_host)):
        path = router.parse("GET", url.hostname or "", f"{url.path}projects/p")
        assert path.service == row.name
        assert path.text.endswith("/projects/p")


def test_every_resource_type_is_of_a_service_in_the_table() -> None:
    for spec in specs():
        row = sandbox.services.named(spec.service)
        assert spec.schema.split(".")[1] in row.documents, spec.type
        assert spec.type.split(":")[1].partition("/")[0] in PACKAGES


def test_services_are_listed_in_one_table_only() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("sandbox", "cli", "tests", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path not in (TABLE, Path(__file__), *OF_GOOGLE)
        for line in _tables(path.read_text())
    ]
    assert not found, f"a table of services beside sandbox/services.py: {found}"


@pytest.mark.parametrize(
    "text",
    [
        'A = {"compute": 1, "container": 2, "storage": 3, "dns": 4}',
        'A = ("compute.v1", "storage.v1", "dns.v1", "iam.v1")',
        "f(computeCustomEndpoint=1, containerCustomEndpoint=2, dnsCustomEndpoint=3)",
        'A = {"GOOGLE_X_CUSTOM_ENDPOINT": 1, "GOOGLE_Y_CUSTOM_ENDPOINT": 2, '
        '"GOOGLE_Z_CUSTOM_ENDPOINT": 3}',
    ],
)
def test_a_second_list_of_services_is_detected(text: str) -> None:
    assert list(_tables(text)) == [1]


def _tables(text: str) -> Iterator[int]:
    """Lines where a literal or a call lists several services."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Dict(keys=items) | ast.Tuple(elts=items) | ast.List(elts=items):
                words = [str(item.value) for item in items if isinstance(item, ast.Constant)]
            case ast.Set(elts=items):
                words = [str(item.value) for item in items if isinstance(item, ast.Constant)]
            case ast.Call(keywords=keywords):
                words = [keyword.arg for keyword in keywords if keyword.arg]
            case _:
                continue
        endpoints = [w for w in words if re.search("CustomEndpoint|_CUSTOM_ENDPOINT", w)]
        named = {re.sub(r"\.v\d.*|\.googleapis\.com", "", word) for word in words} & NAMES
        # A list that mostly names other things, such as the services that have IAM roles, is none.
        is_table = len(named) >= 4 and len(named) > 0.7 * len(words)
        if is_table or len(endpoints) >= 3:
            yield node.lineno


ROW = GoogleService(
    name="cloudscheduler",
    title="Cloud Scheduler API",
    documents={"v1": frozenset()},
    endpoints={"CLOUD_SCHEDULER": "v1/"},
    needs_enabling=True,
)


@pytest.fixture
def cloud_scheduler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    """An emulator with one service more: a row and a module."""
    pytest.importorskip("googleapiclient")
    table = (*SERVICES, ROW)
    for module in list(sys.modules.values()):
        if module.__name__.startswith("sandbox.") and getattr(module, "SERVICES", None) is SERVICES:
            monkeypatch.setattr(module, "SERVICES", table)
    module = ModuleType("sandbox.gcp.services.cloudscheduler")

    async def get(call: Call) -> dict[str, str]:
        return {"name": call.url_path}

    vars(module)["SERVICE"] = Service(
        "cloudscheduler", {"cloudscheduler.projects.locations.jobs.get": get}
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(documents_update, "FOLDER", tmp_path)
    monkeypatch.setattr(discovery, "_FOLDER", tmp_path)
    documents_update.main()
    discovery.documents.cache_clear()
    cloud = Cloud()
    yield cloud
    cloud.close()
    discovery.documents.cache_clear()


def test_a_new_service_is_one_row_and_one_module(
    cloud_scheduler: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = "GOOGLE_CLOUD_SCHEDULER_CUSTOM_ENDPOINT"
    address = addresses("http://127.0.0.1:1")[variable]
    monkeypatch.setenv(variable, address)
    assert Config().endpoint("cloudscheduler") == "http://127.0.0.1:1/cloudscheduler/v1/"
    name = "projects/p/locations/l/jobs/nightly"
    assert cloud_scheduler.call("GET", f"{address}{name}") == {"name": name}
    by_host = f"https://cloudscheduler.googleapis.com/v1/{name}"
    assert cloud_scheduler.call("GET", by_host) == {"name": name}
    unknown = cloud_scheduler.call("DELETE", f"{address}{name}", status=501)["error"]["message"]
    assert "cloudscheduler.projects.locations.jobs.delete" in unknown
    assert "## cloudscheduler" in coverage.render()[coverage.PAGE]
    assert list(all_services())[-1] == "cloudscheduler"
    cloud_scheduler.app.state.enforce_enabled_services = True
    refused = cloud_scheduler.call("GET", f"{address}{name}", status=403)["error"]["message"]
    assert refused.startswith("Cloud Scheduler API has not been used in project")
