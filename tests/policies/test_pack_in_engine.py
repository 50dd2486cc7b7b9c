"""The real engine previews and updates with the pack on."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.release import protected
from sandbox import engine

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("engine")]
ROOT = Path(__file__).parents[2]
VENV = Path(sys.executable).parent.parent
LABELS = {"system": "ml", "environment": "dev", "layer": "serving", "managed-by": "pulumi"}
GOOD = {
    "uniformBucketLevelAccess": True,
    "publicAccessPrevention": "enforced",
    "labels": LABELS,
}
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `pulumi` with the pack over a program that declares one bucket, without a provider."""
    found = engine.ensure()
    if found.language_host is None:
        found.install(tmp_path / "bin", tmp_path / "home")
    for name in ("home", "state", "project"):
        (tmp_path / name).mkdir(exist_ok=True)
    project = tmp_path / "project"
    (project / "Pulumi.yaml").write_text(
        f"name: gke-serving\nruntime: {{name: python, options: {{virtualenv: {VENV}}}}}\n"
    )
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")},
        "PATH": f"{tmp_path / 'bin'}:{found.pulumi.parent}:{os.environ['PATH']}",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "a test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }

    def pulumi(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            ["pulumi", *arguments],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def run(
        *arguments: str,
        bucket: str,
        levels: str = "{}",
        parameters: str = "{}",
        waivers: str = "",
    ) -> tuple[int, str]:
        # A component bears any type: so the engine judges it and needs no plugin to do so.
        (project / "__main__.py").write_text(
            "import pulumi\n"
            f"pulumi.ComponentResource('gcp:storage/bucket:Bucket', 'files', {bucket})\n"
        )
        stack_file = project / "Pulumi.dev.yaml"
        kept = stack_file.read_text().partition("config:")[0]
        stack_file.write_text(
            f"{kept}config:\n  gke-policies:levels: {levels}\n"
            f"  gke-policies:parameters: {parameters}\n"
        )
        pack = ROOT / "policies"
        if waivers:
            # A copy of the pack, whose waivers are others.
            for package in ("facts", "gkeplatform", "policies", "stacks"):
                shutil.copytree(ROOT / package, tmp_path / package, dirs_exist_ok=True)
            pack = tmp_path / "policies"
            (pack / "waivers.yaml").write_text(waivers)
            policy_file = pack / "PulumiPolicy.yaml"
            policy_file.write_text(policy_file.read_text().replace("../.venv", str(VENV)))
            environment["PYTHONPATH"] = str(tmp_path)
        return pulumi(*arguments, "-s", "dev", "--policy-pack", str(pack))

    def exported() -> dict[str, Any]:
        code, text = pulumi("stack", "export", "-s", "dev")
        assert code == 0, text
        found: dict[str, Any] = json.loads(text)
        return found

    code, text = pulumi("stack", "init", "dev")
    assert code == 0, text
    run.pulumi = pulumi  # type: ignore[attr-defined]  # what needs no pack
    run.exported = exported  # type: ignore[attr-defined]  # a second thing that one can run
    return run


def test_a_violation_stops_the_preview_under_its_rules_name(run: Run) -> None:
    code, text = run("preview", bucket=repr(GOOD | {"uniformBucketLevelAccess": False}))
    assert code != 0
    assert text.count("bucket-access-is-uniform") == 1
    assert "[mandatory] [severity: high]  bucket-access-is-uniform" in text
    assert "uniformBucketLevelAccess is not true" in text


def test_what_is_protected_is_deleted_only_after_its_release(run: Run) -> None:
    bucket = f"{GOOD!r}, opts=pulumi.ResourceOptions(protect=True)"
    levels = "{stateful-resources-are-protected: mandatory}"
    code, text = run("up", "--yes", "--skip-preview", bucket=repr(GOOD), levels=levels)
    assert code != 0
    assert "[mandatory] [severity: high]  stateful-resources-are-protected" in text
    code, text = run("up", "--yes", "--skip-preview", bucket=bucket, levels=levels)
    assert code == 0, text
    code, text = run.pulumi("destroy", "--yes", "--skip-preview", "-s", "dev")  # type: ignore[attr-defined]
    assert code != 0
    assert "protect" in text
    (urn,) = protected(run.exported(), ["Bucket::files"])  # type: ignore[attr-defined]
    assert list(protected(run.exported(), ["Bucket::others"])) == []  # type: ignore[attr-defined]
    code, text = run.pulumi("state", "unprotect", urn, "--yes", "-s", "dev")  # type: ignore[attr-defined]
    assert code == 0, text
    code, text = run.pulumi("destroy", "--yes", "--skip-preview", "-s", "dev")  # type: ignore[attr-defined]
    assert code == 0, text


def test_an_advisory_level_of_the_stack_file_stops_nothing(run: Run) -> None:
    code, text = run(
        "up",
        "--yes",
        bucket=repr(GOOD | {"uniformBucketLevelAccess": False}),
        levels="{bucket-access-is-uniform: advisory}",
    )
    assert code == 0, text
    assert "[advisory] [severity: high]  bucket-access-is-uniform" in text


def test_a_good_stack_passes_and_a_broken_setting_is_refused(run: Run) -> None:
    code, text = run("up", "--yes", bucket=repr(GOOD))
    assert code == 0, text
    analyze = ("policy", "analyze", "-s", "dev", "--policy-pack", str(ROOT / "policies"))
    code, text = run.pulumi(*analyze)  # type: ignore[attr-defined]
    assert code == 0, text
    assert "bucket-keeps-old-versions" in text
    code, text = run("preview", bucket=repr(GOOD), levels="{bucket-access-is-uniform: warn}")
    assert code != 0
    wanted = 'stacks/Pulumi.dev.yaml: gke-policies:levels.bucket-access-is-uniform: "warn" is not'
    assert wanted in text
    assert "Traceback" not in text


WAIVER = """\
waivers:
  - rule: bucket-access-is-uniform
    resource: "gcp:storage/bucket:Bucket::files"
    environments: [dev]
    reason: the old uploader knows nothing else
    owner: ml-platform
    expires: DAY
"""


def test_a_waiver_is_shown_and_an_expired_one_stops(run: Run) -> None:
    bucket = repr(GOOD | {"uniformBucketLevelAccess": False})
    soon = datetime.now(UTC).date() + timedelta(days=3)
    code, text = run("preview", bucket=bucket, waivers=WAIVER.replace("DAY", str(soon)))
    assert code == 0, text
    assert "waived until" in text
    assert "the old uploader knows nothing else" in text
    past = soon - timedelta(days=30)
    code, text = run("preview", bucket=bucket, waivers=WAIVER.replace("DAY", str(past)))
    assert code != 0
    assert "its waiver expired" in text
    code, text = run("preview", bucket=repr(GOOD), waivers=WAIVER.replace("DAY", str(past)))
    assert code != 0
    assert "the waiver of bucket-access-is-uniform expired" in text


def test_a_waiver_that_is_not_understood_stops_the_pack(run: Run) -> None:
    waiver = WAIVER.replace("DAY", "2027-01-01").replace("uniform", "unform")
    code, text = run("preview", bucket=repr(GOOD), waivers=waiver)
    assert code != 0
    assert "policies/waivers.yaml: waivers[0].rule: there is no rule" in text
    assert "Traceback" not in text


def test_what_a_rule_repairs_is_what_is_deployed(run: Run) -> None:
    labels = "resources-bear-the-platform-labels"
    code, text = run(
        "up",
        "--yes",
        bucket=repr({**GOOD, "labels": {"environment": "dev"}}),
        levels=f"{{{labels}: remediate}}",
        parameters=f"{{{labels}: {{values: {{system: ml}}}}}}",
    )
    assert code == 0, text
    assert labels in text
    states = run.exported()["deployment"]["resources"]  # type: ignore[attr-defined]
    (bucket,) = [state for state in states if state["type"] == "gcp:storage/bucket:Bucket"]
    assert bucket["inputs"]["labels"] == LABELS
