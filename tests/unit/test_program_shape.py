"""The rules about the code of the layers that can be checked by reading it."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli import stack_reference
from declared import ROOT, stack_config
from gkeplatform import layers
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


def test_a_layer_is_found_by_name() -> None:
    assert layers.named("serving") is layers.SERVING


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_a_project_file_agrees_with_its_layer(layer: Layer) -> None:
    text = (ROOT / layer.directory / "Pulumi.yaml").read_text()
    assert f"\nname: {layer.project}\n" in f"\n{text}"
    home = Path(os.path.normpath(layer.main)).relative_to(os.path.normpath(layer.directory))
    assert home == Path() or f"\nmain: {home}\n" in text


def test_what_is_generated_is_fresh() -> None:
    stale = [
        str(path)
        for path, text in stack_reference.render().items()
        if (ROOT / path).read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run `platformctl generate`"


def test_stack_files_satisfy_their_schema() -> None:
    files = sorted(str(path) for path in (ROOT / "stacks").glob("Pulumi.*.yaml"))
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", "stacks/schema.json"]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("old", "new"), [("      max_nodes: 3", "      max_node: 3"), ("gke-networking:", "gke-netw:")]
)
def test_the_schema_refuses_an_unknown_key(tmp_path: Path, old: str, new: str) -> None:
    bad = tmp_path / "Pulumi.dev.yaml"
    good = (ROOT / "stacks" / "Pulumi.dev.yaml").read_text()
    assert old in good
    bad.write_text(good.replace(old, new))
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", "stacks/schema.json"]
    done = subprocess.run(
        [*command, str(bad)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert new.strip().partition(":")[0] in done.stdout


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("{model}", True),
        ("[{model}]", True),
        ("[]", False),
        ("[{model}, {{name: other}}]", False),
        ("{{name: other, sever: triton}}", False),
    ],
)
def test_the_schema_of_catalog_files(tmp_path: Path, text: str, is_valid: bool) -> None:
    file = tmp_path / "models.yaml"
    model = json.loads(stack_config("dev")["gke-serving:models"])[0]
    file.write_text(text.format(model=json.dumps(model)))
    schema = "stacks/models.schema.json"
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", schema, str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == is_valid, done.stdout


DYNAMIC = {"importlib", "runpy", "pkgutil", "__import__", "exec", "eval", "compile"}


def dynamic_imports(tree: ast.AST) -> set[str]:
    """Names by which a module could import what import-linter does not see."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.partition(".")[0] in DYNAMIC}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found |= {node.func.id}
    return {
        name
        for name in found
        if name.partition(".")[0] in DYNAMIC
        and not name.startswith(("importlib.resources", "importlib.metadata"))
    }


VOCABULARY = [path for path in OURS if "gkeplatform" in path.parts]


@pytest.mark.parametrize("path", VOCABULARY, ids=lambda path: path.stem)
def test_the_vocabulary_imports_nothing_dynamically(path: Path) -> None:
    assert dynamic_imports(ast.parse(path.read_text())) == set()


@pytest.mark.parametrize(
    "code",
    [
        "import importlib",
        "import importlib as loader",
        "from importlib import import_module",
        "x = __import__('infra')",
        "import runpy",
        "exec('import infra')",
    ],
)
def test_a_dynamic_import_is_found(code: str) -> None:
    assert dynamic_imports(ast.parse(code))


def test_the_stack_file_is_read_without_the_sdks_of_the_layers() -> None:
    # A program needs the SDKs of its own layer only; each takes a second or more to import.
    code = (
        "import infra.stack_file, sys;"
        "print(sorted(m for m in sys.modules if m.startswith('pulumi_kubernetes')"
        " or m.count('.') > 1 and m.startswith('pulumi_gcp.')))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_packages_import_only_what_they_may() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
