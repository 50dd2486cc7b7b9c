"""Environments compared by meaning, and values promoted from one to the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.comparison import declaration, report
from cli.comparison.differences import Difference, differences
from cli.errors import CliError
from cli.promotion import plan
from cli.promotion.files import Files
from gkeplatform.errors import PlatformError
from tests.cli.promotion.conftest import Checkout

MODEL = """\
    - name: ranker
      server: tensorflow-serving
      # the second version
      source: gs://acme-ml-dev-models/ranker
      replicas: {min: 2, max: 2}
      resources:
        requests: {cpu: 250m, memory: 512Mi}
        limits: {cpu: 500m, memory: 512Mi}
      exposure:
        kind: http-load-balancer
        hosts: [models.dev.acme.example]
        paths: [/v1/models/ranker]
"""
BEFORE_MODELS = "  gke-serving:models:\n"


def differing(checkout: Checkout, *, must: bool = False) -> dict[str, Difference]:
    dev, stage = (declaration.read(name, checkout.root) for name in ("dev", "stage"))
    return {one.key: one for one in differences(dev, stage) if one.must is must}


def promoted(checkout: Checkout, **options: Any) -> plan.Plan:
    made = plan.plan("dev", "stage", checkout.root, **options)
    plan.check(made.files)
    made.files.save()
    return made


def test_what_must_differ_is_told_apart(checkout: Checkout) -> None:
    assert differing(checkout) == {}
    must = differing(checkout, must=True)
    assert must["gcp:project"].reason == "project"
    assert must["gke-cluster:network.pods_cidr"].reason == "range"
    assert must["gke-serving:models[resnet].source"].reason == "derived"
    assert must["gke-serving:models[translate].exposure.hosts"].reason == "derived"
    assert must["gke-networking:domains[models.dev.acme.example].name"].reason == "domain"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cpu: 500m, memory: 1Gi}", "cpu: 0.5, memory: 1024Mi}"),  # the same quantities
        ("release_channel: regular\n", "release_channel: 'regular'\n"),  # the same text
        ("    timeout_seconds: 30\n", ""),  # the default
    ],
)
def test_what_means_the_same_does_not_differ(checkout: Checkout, old: str, new: str) -> None:
    checkout.change("stage", old, new)
    assert differing(checkout) == {}


def test_the_order_of_models_means_nothing(checkout: Checkout) -> None:
    checkout.change("dev", BEFORE_MODELS, BEFORE_MODELS + MODEL)
    ours = MODEL.replace("acme-ml-dev", "acme-ml-stage").replace("dev.acme", "stage.acme")
    after = "  # Example domains"
    checkout.change("stage", after, ours + after)
    assert differing(checkout) == {}


def test_the_platforms_own_files_are_compared() -> None:
    from declared import ROOT

    dev, stage = (declaration.read(name, ROOT) for name in ("dev", "stage"))
    found = {one.key: one for one in differences(dev, stage)}
    assert "gke-serving:models[assistant]" in found
    assert "platform:protect" in found
    assert differences(dev, dev) == []


CHANGES = [
    ("replicas: {min: 3, max: 10}", "replicas: {min: 3, max: 12}"),
    ("        memory_utilization: 80\n", ""),
    ("      max_nodes: 3\n", "      max_nodes: 5\n      disk_size_gb: 150\n"),
    ("    draining_seconds: 15\n", "    draining_seconds: 40\n    session_affinity: CLIENT_IP\n"),
    ("      disruption: {min_available: 2}\n", "      disruption: {min_available: 1}\n"),
    ("paths: [/v1/models/fraud]", "paths: [/v1/models/fraud, /v1/models/scam]\n"
     "        rewrites: {/v1/models/scam: /v1/models/fraud}"),
    ("  gke-platform:alerts:\n    speeds: [slow]\n", ""),
    ("kind: ingress\n        path: /model", "kind: cluster-ip"),
    (BEFORE_MODELS, BEFORE_MODELS + MODEL),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_after_a_promotion_nothing_chosen_differs(checkout: Checkout, old: str, new: str) -> None:
    checkout.change("dev", old, new)
    found = differing(checkout)
    assert found
    before = checkout.text("stage")
    made = promoted(checkout, only=list(found))
    assert {one.key for one in made.chosen} == set(found)
    assert differing(checkout) == {}
    comments = [line.strip() for line in before.splitlines() if line.strip().startswith("#")]
    after = [line.strip() for line in checkout.text("stage").splitlines()]
    assert all(comment in after for comment in comments)


def test_a_promotion_of_everything_changes_only_what_differs(checkout: Checkout) -> None:
    for old, new in CHANGES[::2]:
        checkout.change("dev", old, new)
    promoted(checkout)
    assert differing(checkout) == {} or all(
        one.source is None or one.key.startswith("gke-platform:alerts")
        for one in differing(checkout).values()
    )
    lines = set(checkout.text("dev").splitlines()) ^ set(checkout.text("stage").splitlines())
    assert all(
        "acme" in line or "cidr" in line or "alerts" in line or "slow" in line for line in lines
    )


def test_a_new_model_is_offered_and_brought_in_the_targets_words(checkout: Checkout) -> None:
    checkout.change("dev", BEFORE_MODELS, BEFORE_MODELS + MODEL)
    made = plan.plan("dev", "stage", checkout.root, models=True)
    assert made.chosen == []
    assert "model ranker is not in stage" in made.told[0]
    promoted(checkout, only=["models[ranker]"])
    text = checkout.text("stage")
    assert "source: gs://acme-ml-stage-models/ranker" in text
    assert "hosts: [models.stage.acme.example]" in text
    assert "# the second version" in text


def test_what_a_new_model_needs_is_checked_before_anything_is_written(checkout: Checkout) -> None:
    needy = MODEL.replace("      replicas", "      node_pool: fast\n      replicas")
    pool = "    - {name: fast, machine_type: n2-standard-4, max_nodes: 2}\n"
    checkout.change("dev", BEFORE_MODELS, BEFORE_MODELS + needy)
    checkout.change("dev", "  gke-cluster:node_pools:\n", "  gke-cluster:node_pools:\n" + pool)
    before = checkout.text("stage")
    with pytest.raises(PlatformError, match=r'stage\.yaml:\d+: model "ranker": .*node_pool.*fast'):
        plan.check(plan.plan("dev", "stage", checkout.root, only=["models[ranker]"]).files)
    assert checkout.text("stage") == before


def test_only_versions_are_promoted_as_models(checkout: Checkout) -> None:
    checkout.change("dev", "gs://acme-ml-dev-models/resnet", "gs://acme-ml-dev-models/resnet/2")
    checkout.change("dev", "replicas: {min: 3, max: 10}", "replicas: {min: 3, max: 12}")
    made = promoted(checkout, models=True)
    assert [one.key for one in made.chosen] == ["gke-serving:models[resnet].source"]
    assert "gs://acme-ml-stage-models/resnet/2\n" in checkout.text("stage")
    assert list(differing(checkout)) == ["gke-serving:models[resnet].replicas.max"]


def test_a_registry_that_both_use_is_not_translated(checkout: Checkout) -> None:
    image = "      image: europe-docker.pkg.dev/acme-ml-dev/models/tf:2.19.{}\n"
    for environment, patch in (("dev", 1), ("stage", 0)):
        name = f"      source: gs://acme-ml-{environment}-models/resnet\n"
        checkout.change(environment, name, name + image.format(patch))
    promoted(checkout, models=True)
    assert image.format(1) in checkout.text("stage")


def test_what_must_differ_is_promoted_only_by_its_name(checkout: Checkout) -> None:
    assert promoted(checkout).chosen == []
    assert promoted(checkout, only=["gke-cluster:network"]).chosen == []
    promoted(checkout, only=["gke-cluster:network.pods_cidr"])
    assert "pods_cidr: 10.64.0.0/14" in checkout.text("stage")


WEBHOOK = """
    - kind: webhook
      name: pager
      url: https://hooks.acme.example/x
      username: platform
      password: {secure: AAAA%s}
"""
EMAIL = "{kind: email, name: platform, address: ml-platform@acme.example}\n"


def test_a_secret_is_set_or_not_and_never_shown_or_copied(checkout: Checkout) -> None:
    for environment in ("dev", "stage"):
        hook = WEBHOOK.removeprefix("\n") % environment
        checkout.change(environment, f"    - {EMAIL}", f"    - {EMAIL}{hook}")
    assert differing(checkout) == {}
    checkout.write("stage", checkout.text("stage").replace(WEBHOOK % "stage", "\n"))
    found = differing(checkout)
    assert list(found) == ["gke-platform:notifications[pager]"]
    shown = report.text(list(found.values()), "dev", "stage")
    shown += str([report.document(one) for one in found.values()])
    assert "AAAAdev" not in shown
    made = promoted(checkout, only=list(found))
    assert made.chosen == []
    assert "encrypted" in made.told[0]


def test_a_path_that_nobody_has_is_refused_with_the_nearest(checkout: Checkout) -> None:
    with pytest.raises(CliError) as refused:
        plan.plan("dev", "stage", checkout.root, only=["gke-serving:models[resnett].replicas"])
    assert "did you mean `gke-serving:models[resnet].replicas`" in refused.value.hint
    assert plan.plan("dev", "stage", checkout.root, only=["models[resnet].replicas"]).chosen == []


def test_a_file_that_does_not_parse_is_named(checkout: Checkout) -> None:
    checkout.write("stage", "config: {a: [}\n")
    with pytest.raises(PlatformError, match=r"^stacks/Pulumi\.stage\.yaml:1: not YAML"):
        plan.plan("dev", "stage", checkout.root)


def test_a_folder_of_models_is_compared_and_promoted_into(checkout: Checkout) -> None:
    for environment, extra in (("dev", "ranker"), ("stage", "other")):
        checkout.change(
            environment,
            BEFORE_MODELS,
            f"  gke-serving:catalogue: models/{environment}\n{BEFORE_MODELS}",
        )
        folder = checkout.root / "stacks" / "models" / environment
        folder.mkdir(parents=True)
        one = "\n".join(line[6:] for line in MODEL.splitlines()) + "\n"
        one = one.replace("dev", environment).replace("ranker", extra)
        (folder / f"{extra}.yaml").write_text(f"# ours\n{one}")
    assert set(differing(checkout)) == {"gke-serving:models[ranker]", "gke-serving:models[other]"}
    made = promoted(checkout, only=["models[ranker]"])
    assert made.files.changed == []
    written = (checkout.root / "stacks" / "models" / "stage" / "ranker.yaml").read_text()
    assert "source: gs://acme-ml-stage-models/ranker" in written
    assert list(differing(checkout)) == ["gke-serving:models[other]"]
    ours = checkout.root / "stacks/models/dev/ranker.yaml"
    ours.write_text(ours.read_text().replace("min: 2, max: 2", "min: 1, max: 1"))
    promoted(checkout, only=["models[ranker].replicas"])
    theirs = (checkout.root / "stacks/models/stage/ranker.yaml").read_text()
    assert "replicas: {min: 1, max: 1}" in theirs


def test_a_file_changed_meanwhile_is_not_overwritten(checkout: Checkout) -> None:
    checkout.change("dev", *CHANGES[0])
    made = plan.plan("dev", "stage", checkout.root)
    checkout.write("stage", checkout.text("stage") + "# meanwhile\n")
    with pytest.raises(CliError, match="changed meanwhile"):
        made.files.save()
    assert checkout.text("stage").endswith("# meanwhile\n")


WRITER = """
import os, sys
from pathlib import Path
from cli.promotion import files
path, step = Path(sys.argv[1]), sys.argv[2]
def killed(*_, **__):
    os.kill(os.getpid(), 9)
if step == "before": files.os.fsync = killed
if step == "between": files.shutil.copymode = killed
if step == "after":
    real = Path.replace
    Path.replace = lambda self, target: (real(self, target), killed())
files.replace(path, "new" * 1000)
"""


@pytest.mark.parametrize(
    ("step", "left"), [("before", "old"), ("between", "old"), ("after", "new" * 1000)]
)
def test_a_killed_writer_leaves_the_old_file_or_the_new_one(
    tmp_path: Path, step: str, left: str
) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(path), step],
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == left
    assert list(tmp_path.glob("Pulumi.*.yaml")) == [path]
    from cli.promotion.files import replace

    replace(path, "next")
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_are_not_edited_are_not_written(checkout: Checkout) -> None:
    files = Files.of("stage", checkout.root)
    assert files.changed == []
