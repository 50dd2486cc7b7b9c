"""Deployments put together from histories, and the files of an earlier one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.comparison import declaration
from cli.errors import CliError
from cli.history import rollback
from cli.history.deployments import Deployment, deployments, update
from cli.promotion.files import Files
from gkeplatform import yaml_files
from gkeplatform.layers import in_order
from tests.cli.promotion.conftest import Checkout

LAYERS = [layer.name for layer in in_order()]


def recorded(text: str) -> dict[str, Any]:
    """A configuration as `pulumi stack history --json` has it."""
    made: dict[str, Any] = {}
    for key, value in yaml_files.parse(text, "f").value["config"].items():
        if isinstance(value, dict | list):
            made[key] = {"value": "…", "objectValue": value, "secret": False}
        else:
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            made[key] = {"value": shown, "secret": False}
    return made


def up(
    minute: int, text: str, *, commit: str = "", dirty: bool = False, result: str = "succeeded",
    layers: list[str] = LAYERS, kind: str = "update", changes: dict[str, int] | None = None,
) -> list[Any]:  # fmt: skip
    """The updates of one `up`, each ten seconds long."""
    environment = {"git.head": commit, "git.dirty": str(dirty).lower()} if commit else {}
    return [
        update(
            layer,
            {
                "kind": kind,
                "startTime": f"2026-01-01T10:{minute:02}:{index * 10:02}.000Z",
                "endTime": f"2026-01-01T10:{minute:02}:{index * 10 + 9:02}.000Z",
                "result": result,
                "resourceChanges": changes or {"same": 3},
                "environment": environment,
                "config": recorded(text),
            },
        )
        for index, layer in enumerate(layers)
    ]


def git(root: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@acme.example")
    done = subprocess.run(
        ["git", *settings, *arguments], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def change(text: str) -> str:
    made = text.replace("max: 10}", "max: 9}", 1).replace(
        "    speeds: [slow]\n", "    close_after_minutes: 60\n"
    )
    assert made != text
    return made


def test_updates_with_one_configuration_are_one_deployment(checkout: Checkout) -> None:
    first, second = checkout.text("dev"), change(checkout.text("dev"))
    again = ["networking", "serving"]
    updates = [
        *up(1, first),
        *up(2, second, layers=[*LAYERS[:3], *again]),  # two layers twice, in one deployment
        *up(3, second),  # begins again with the first layer
        *up(4, first, kind="destroy"),
    ]
    found = deployments(updates)
    assert [one.number for one in found] == [1, 2, 3, 4]
    assert [len(one.updates) for one in found] == [4, 5, 4, 4]
    assert found[1].layers == LAYERS[:3]


def test_the_aim_is_the_last_success_with_another_configuration(checkout: Checkout) -> None:
    first, second = checkout.text("dev"), change(checkout.text("dev"))
    third = second.replace("max: 9}", "max: 8}", 1)
    found = deployments(
        [*up(1, first), *up(2, third, result="failed"), *up(3, second), *up(4, second)]
    )
    assert rollback.aim(found, "dev", None).number == 1
    assert rollback.aim(found, "dev", 3).number == 3
    for number, message in ((9, "no deployment 9"), (0, "no deployment 0")):
        with pytest.raises(CliError, match=message):
            rollback.aim(found, "dev", number)
    with pytest.raises(CliError, match="no earlier deployment"):
        rollback.aim(found[:1], "dev", None)
    with pytest.raises(CliError, match="has no deployment"):
        rollback.aim([], "dev", None)


def only(updates: list[Any]) -> Deployment:
    return deployments(updates)[0]


@pytest.mark.parametrize("commit", ["", "0" * 40])
def test_without_a_commit_the_recorded_configuration_is_written(
    checkout: Checkout, commit: str
) -> None:
    first = checkout.text("dev")
    before = declaration.read("dev", checkout.root)
    checkout.write("dev", change(first) + "  gke-networking:probe: {interval_seconds: 20}\n")
    files, told = rollback.restored("dev", checkout.root, only(up(1, first, commit=commit)))
    files.save()
    assert "no commit" in told[0]
    assert declaration.read("dev", checkout.root) == before
    comments = [line for line in first.splitlines() if line.strip().startswith("#")]
    assert all(comment in checkout.text("dev").splitlines() for comment in comments)


def test_the_file_of_a_commit_comes_back_to_the_byte(checkout: Checkout) -> None:
    first = checkout.text("dev")
    git(checkout.root, "init", "-q")
    git(checkout.root, "add", ".")
    git(checkout.root, "commit", "-qm", "first")
    head = git(checkout.root, "rev-parse", "HEAD")
    checkout.write("dev", change(first) + "# later\n")
    files, told = rollback.restored("dev", checkout.root, only(up(1, first, commit=head)))
    files.save()
    assert checkout.text("dev") == first
    assert head[:12] in told[0]
    assert git(checkout.root, "status", "--short") == ""
    assert git(checkout.root, "rev-parse", "HEAD") == head


def test_a_dirty_commit_is_not_taken_for_what_was_deployed(checkout: Checkout) -> None:
    first = checkout.text("dev")
    git(checkout.root, "init", "-q")
    git(checkout.root, "add", ".")
    git(checkout.root, "commit", "-qm", "first")
    head = git(checkout.root, "rev-parse", "HEAD")
    deployed = only(up(1, change(first), commit=head, dirty=True))
    files, told = rollback.restored("dev", checkout.root, deployed)
    files.save()
    assert "no commit" in told[0]
    assert "max: 9}" in checkout.text("dev")


def test_a_folder_of_models_comes_back_from_the_commit_only(checkout: Checkout) -> None:
    key = "  gke-serving:catalogue: models/dev\n"
    checkout.change("dev", "  gke-serving:models:\n", key + "  gke-serving:models:\n")
    first = checkout.text("dev")
    folder = checkout.root / "stacks/models/dev"
    folder.mkdir(parents=True)
    entry = (
        "name: {}\nserver: tensorflow-serving\nsource: gs://acme-ml-dev-models/x\n"
        "replicas: {{min: 1, max: 1}}\nexposure: {{kind: cluster-ip}}\n"
        "resources: {{requests: {{cpu: 1, memory: 1Gi}}, limits: {{cpu: 1, memory: 1Gi}}}}\n"
    )
    (folder / "old.yaml").write_text(entry.format("old"))
    git(checkout.root, "init", "-q")
    git(checkout.root, "add", ".")
    git(checkout.root, "commit", "-qm", "first")
    head = git(checkout.root, "rev-parse", "HEAD")
    before = declaration.read("dev", checkout.root)
    (folder / "old.yaml").unlink()
    (folder / "new.yaml").write_text(entry.format("new"))
    files, _ = rollback.restored("dev", checkout.root, only(up(1, first, commit=head)))
    files.save()
    assert declaration.read("dev", checkout.root) == before
    assert not (folder / "new.yaml").exists()
    with pytest.raises(CliError, match="folder of models is not recorded"):
        rollback.restored("dev", checkout.root, only(up(1, first)))


def test_a_secret_stays_as_it_is(checkout: Checkout) -> None:
    first = checkout.text("dev")
    secret = "  pulumi:token: {secure: AAAA}\n"
    checkout.write("dev", change(first) + secret)
    deployed = up(1, first)[:1]
    deployed[0].configuration["pulumi:token"] = None
    files, told = rollback.restored("dev", checkout.root, only(deployed))
    files.save()
    assert any("pulumi:token: has a secret" in line for line in told)
    assert secret in checkout.text("dev")


def test_what_does_not_come_back_is_said(checkout: Checkout) -> None:
    first, second = checkout.text("dev"), change(checkout.text("dev"))
    found = deployments([*up(1, first), *up(2, second, changes={"replace": 1, "same": 2})])
    assert "(numbers 2) deleted or replaced 4 resources" in rollback.lost(found, found[0])[0]
    assert rollback.lost(found, found[1]) == []


def test_a_rollback_that_is_declined_leaves_the_files_as_they_were(checkout: Checkout) -> None:
    present = checkout.text("dev")
    added, kept = checkout.root / "stacks/models/new.yaml", checkout.root / "stacks/models/old.yaml"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("[]\n")
    files = Files.of("dev", checkout.root)
    files._take("stacks/models/old.yaml")
    files.texts[files.file] = change(present)
    files.add_file("stacks/models/new.yaml", "[]\n")
    files.delete("stacks/models/old.yaml")
    files.save()
    assert (checkout.text("dev") != present, added.exists(), kept.exists()) == (True, True, False)
    files.undo()
    assert (checkout.text("dev"), added.exists(), kept.read_text()) == (present, False, "[]\n")


@pytest.mark.parametrize("at", range(3))
def test_ctrl_c_while_files_are_written_leaves_all_as_they_were(
    at: int, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = checkout.text("dev")
    files = Files.of("dev", checkout.root)
    files.texts[files.file] = change(present)
    for name in ("one", "two"):
        files.add_file(f"stacks/models/{name}.yaml", "[]\n")
    written = iter(range(9))
    replace = Path.replace

    def interrupted(path: Path, target: Path) -> Path:
        made = replace(path, target)
        if next(written) == at:
            raise KeyboardInterrupt
        return made

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.save()
    assert checkout.text("dev") == present
    assert [path for path in checkout.root.rglob("*") if path.parent.name == "models"] == []


def test_undo_without_save_touches_no_file(checkout: Checkout) -> None:
    present = checkout.text("dev")
    files = Files.of("dev", checkout.root)
    files.texts[files.file] = change(present)
    checkout.write("dev", present + "# meanwhile\n")
    with pytest.raises(CliError, match="changed meanwhile"):
        files.save()
    files.undo()
    assert checkout.text("dev") == present + "# meanwhile\n"
