"""The rules about the code of the layers that can be checked by reading it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from declared import ROOT
from gkeplatform import layers, reference
from gkeplatform.layers import LAYERS, Layer

OURS = sorted(p for folder in ("gkeplatform", "infra") for p in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_a_program_is_a_table_of_contents(layer: Layer) -> None:
    tree = ast.parse((ROOT / layer.main / "__main__.py").read_text())
    allowed = ast.Import | ast.ImportFrom | ast.Assign | ast.Expr
    assert [type(node).__name__ for node in tree.body if not isinstance(node, allowed)] == []
    banned = ast.FunctionDef | ast.ClassDef | ast.If | ast.IfExp | ast.For | ast.comprehension
    assert [type(node).__name__ for node in ast.walk(tree) if isinstance(node, banned)] == []


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_program_knows_nothing_of_where_it_is_run(path: Path) -> None:
    assert "sandbox" not in path.read_text().lower()


def test_no_module_of_a_program_hides_another() -> None:
    # A program's folder is first on sys.path, so `storage.py` would hide a module `storage`.
    installed = {
        entry.name.removesuffix(".py")
        for folder in sys.path
        if folder.endswith("site-packages")
        for entry in Path(folder).iterdir()
    }
    known = set(sys.stdlib_module_names) | installed
    modules = {path.stem for layer in LAYERS for path in (ROOT / layer.main).glob("*.py")}
    assert not (modules - {"__init__", "__main__"}) & known


def test_the_layers_come_in_the_order_in_which_they_read_each_other() -> None:
    names = [layer.name for layer in layers.in_order()]
    assert names == ["cluster", "serving", "networking", "environment"]


def test_a_run_may_leave_layers_out() -> None:
    some = layers.in_order([layers.ENVIRONMENT, layers.CLUSTER])
    assert [layer.name for layer in some] == ["cluster", "environment"]


def test_the_sorter_hands_layers_out_as_they_become_ready() -> None:
    sorter = layers.sorter()
    assert list(sorter.get_ready()) == ["cluster"]
    assert list(sorter.get_ready()) == []
    sorter.done("cluster")
    assert list(sorter.get_ready()) == ["serving"]


def test_layers_are_found_by_name_and_by_project() -> None:
    assert layers.named("serving") is layers.SERVING
    assert layers.of_project("gke-platform") is layers.ENVIRONMENT


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_a_project_file_agrees_with_its_layer(layer: Layer) -> None:
    text = (ROOT / layer.directory / "Pulumi.yaml").read_text()
    assert f"\nname: {layer.project}\n" in f"\n{text}"
    home = Path(os.path.normpath(layer.main)).relative_to(os.path.normpath(layer.directory))
    assert home == Path() or f"\nmain: {home}\n" in text


def test_what_is_generated_is_fresh() -> None:
    stale = [
        str(path)
        for path, text in reference.render().items()
        if (ROOT / path).read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run `platformctl generate`"


def test_stack_files_satisfy_their_schema() -> None:
    files = sorted(str(path) for path in (ROOT / "stacks").glob("Pulumi.*.yaml"))
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", "stacks/schema.json"]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_schema_refuses_an_unknown_key(tmp_path: Path) -> None:
    bad = tmp_path / "Pulumi.dev.yaml"
    good = (ROOT / "stacks" / "Pulumi.dev.yaml").read_text()
    bad.write_text(good.replace("      max_nodes: 3", "      max_node: 3"))
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", "stacks/schema.json"]
    done = subprocess.run(
        [*command, str(bad)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "max_node" in done.stdout


def test_packages_import_only_what_they_may() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
