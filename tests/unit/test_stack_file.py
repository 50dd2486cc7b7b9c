"""The whole stack file: rules between layers, the catalog as a folder, and where a mistake is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import environments, judging
from cli.errors import CliError
from declared import ROOT, run_layer, stack_config
from gkeplatform import catalog_files, positions, stack, stack_values, yaml_files
from gkeplatform.errors import PlatformError
from gkeplatform.layers import LAYERS, SERVING, Layer
from infra import stack_file
from infra.cluster.config import ClusterConfig
from infra.serving.config import ServingConfig
from tests.contracts.refusals import refusal

FILE = "stacks/Pulumi.dev.yaml"
MODELS: list[dict[str, Any]] = json.loads(stack_config("dev")["gke-serving:models"])
RESNET, RECOMMENDER = MODELS[:2]


def dumped(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False)


class Checkout:
    """A repository of one environment, `dev`, with some of its models in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.models = root / "stacks" / "models" / "dev"
        self.models.mkdir(parents=True)
        self.config: dict[str, Any] = dict(stack_config("dev"))
        self.config["gke-serving:models"] = json.dumps(MODELS[2:])
        self.config["gke-serving:catalogue"] = "models/dev"

    def write(self, name: str, text: str) -> None:
        (self.models / name).parent.mkdir(exist_ok=True)
        (self.models / name).write_text(text)

    def read(self) -> stack_file.StackFile:
        return stack_file.read(self.config, file=FILE, root=self.root)

    def save(self) -> None:
        plain = {
            key: json.loads(value) if value[:1] in "[{" or value in {"true", "false"} else value
            for key, value in self.config.items()
        }
        (self.root / FILE).write_text(dumped({"config": plain}))

    def refusal(self) -> str:
        """The message, as a program shows it."""
        self.save()
        with pytest.raises(PlatformError) as raised:
            self.read()
        return positions.located(str(raised.value), root=self.root, environment="dev")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def names(whole: stack_file.StackFile) -> list[str]:
    assert whole.serving is not None
    return [model.name for model in whole.serving.models]


def test_the_whole_file_is_one_typed_value() -> None:
    whole = stack_file.read(stack_config("stage"), file="stacks/Pulumi.stage.yaml")
    assert whole.shared is not None
    assert whole.shared.pin_images
    assert whole.of(ClusterConfig) is whole.cluster
    assert whole.of(ServingConfig) is whole.serving


def test_a_layer_without_keys_is_left_out() -> None:
    values = stack_config("dev")
    some = {key: value for key, value in values.items() if not key.startswith("gke-networking:")}
    assert stack_file.read(some, file=FILE).networking is None


@pytest.mark.parametrize(
    ("hosts", "domains", "is_refused"),
    [
        ([], ["a.example"], False),
        (["a.example"], ["a.example"], False),
        (["x.a.example"], ["*.a.example"], False),
        (["b.example"], ["a.example"], True),
        (["x.y.a.example"], ["*.a.example"], True),
        (["anything.example"], [], False),
    ],
)
def test_a_model_s_host_is_one_of_the_domains(
    hosts: list[str], domains: list[str], is_refused: bool
) -> None:
    model = {**RESNET, "exposure": {**RESNET["exposure"], "hosts": hosts}}
    values = {
        "gke-serving:models": json.dumps([model]),
        "gke-serving:priority_classes": '{"interactive": 1}',
        "gke-networking:domains": json.dumps([{"name": domain} for domain in domains]),
    }
    if not is_refused:
        stack_file.read(values, file="f")
        return
    with pytest.raises(PlatformError, match=r"^f: gke-serving:models\[0\]\.exposure\.hosts\[0\]: "):
        stack_file.read(values, file="f")


# The catalog as a folder.


def test_a_file_holds_one_model_or_several(checkout: Checkout) -> None:
    checkout.write("resnet.yaml", dumped(RESNET))
    checkout.write("ranking/models.yml", dumped([RECOMMENDER]))
    checkout.write("README.md", "# Models")
    checkout.write(".keep", "")
    assert names(checkout.read()) == [
        *(model["name"] for model in MODELS[2:]), "recommender", "resnet",
    ]  # fmt: skip


def test_all_models_may_be_in_the_folder(checkout: Checkout) -> None:
    del checkout.config["gke-serving:models"]
    checkout.write("all.yaml", dumped(MODELS))
    assert names(checkout.read()) == [model["name"] for model in MODELS]


def test_models_of_a_folder_are_deployed_as_those_of_the_stack_file(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    del checkout.config["gke-serving:models"]
    checkout.write("all.yaml", dumped(MODELS))
    monkeypatch.setattr(stack_file, "ROOT", checkout.root)
    upstream: dict[str, dict[str, Any]] = {}
    for layer in LAYERS[:2]:
        expected = run_layer(layer, "dev", upstream)
        found = run_layer(layer, "dev", upstream, checkout.config)
        assert found.inputs == expected.inputs
        assert found.outputs == expected.outputs
        upstream[f"organization/{layer.project}/dev"] = expected.outputs


def break_model(**changes: Any) -> Callable[[Checkout], None]:
    def edit(checkout: Checkout) -> None:
        checkout.write("team.yaml", dumped([RESNET, {**RECOMMENDER, **changes}]))

    return edit


def write_twice(checkout: Checkout) -> None:
    checkout.write("a.yaml", dumped(RESNET))
    checkout.write("b.yaml", dumped([RESNET]))


MISTAKES: list[tuple[Callable[[Checkout], None], str]] = [
    (
        break_model(server="tensorflow"),
        'stacks/models/dev/team.yaml:21: model "recommender": server "tensorflow" is not a preset;',
    ),
    (
        break_model(replicas={"min": 3, "max": 1}),
        'stacks/models/dev/team.yaml:24: model "recommender": replicas: min 3 exceeds max 1',
    ),
    (
        break_model(name=7),
        "stacks/models/dev/team.yaml:21: a model without a name: name: expected text, got 7",
    ),
    (
        break_model(exposure={"kind": "http-load-balancer", "paths": ["/elsewhere"]}),
        'model "recommender": exposure.paths[0]: tensorflow-serving answers for "recommender" on',
    ),
    (
        lambda c: c.write("resnet.yaml", dumped({**RESNET, "severs": 1})),
        'stacks/models/dev/resnet.yaml:1: model "resnet": unknown key "severs"; did you mean',
    ),
    (
        write_twice,
        'stacks/models/dev/b.yaml:1: model "resnet": stacks/models/dev/a.yaml:1 has this name too',
    ),
    (
        lambda c: c.write("a.yaml", dumped(MODELS[2])),
        'a.yaml:1: model "translate": gke-serving:models[0] of stacks/Pulumi.dev.yaml has this',
    ),
    (lambda c: c.write("a.yaml", ""), "stacks/models/dev/a.yaml: holds no model; add an entry"),
    (lambda c: c.write("a.yaml", "# Soon.\n"), "stacks/models/dev/a.yaml: holds no model; add"),
    (lambda c: c.write("a.yaml", "[]"), "stacks/models/dev/a.yaml: holds no model; add an entry"),
    (lambda c: c.write("a.yaml", "name: [\n"), "stacks/models/dev/a.yaml:2: not YAML: "),
    (lambda c: c.write("a.yaml", "\0\x01"), "stacks/models/dev/a.yaml: not YAML: "),
    (lambda c: c.write("a.yaml", "resnet"), 'a.yaml: expected a model or a list of models, got "'),
    (
        lambda c: c.write("a.yaml", "\n- resnet"),
        "stacks/models/dev/a.yaml:2: expected a model, got",
    ),
    (lambda c: c.write("a.yaml", "name: a\n---\nname: b"), "a.yaml:2: a second YAML document"),
    (lambda c: c.write("a.yaml", "name: a\nname: b"), 'a.yaml:2: not YAML: the key "name" is giv'),
    (
        lambda c: c.write("resnet.ymal", "name: a"),
        "stacks/models/dev/resnet.ymal: not a .yaml file",
    ),
    (lambda c: None, ": gke-serving:catalogue: stacks/models/dev holds no model; add a"),
    (
        lambda c: c.config.update({"gke-serving:catalogue": "models/qa"}),
        ": gke-serving:catalogue: there is no folder stacks/models/qa; create it",
    ),
    (
        lambda c: c.config.update({"gke-serving:catalogue": "../elsewhere"}),
        'gke-serving:catalogue: expected a folder below stacks/, such as models/dev, got "../els',
    ),
]


@pytest.mark.parametrize(("edit", "expected"), MISTAKES)
def test_a_mistake_in_the_folder_is_one_line_with_file_line_and_model(
    checkout: Checkout, edit: Callable[[Checkout], None], expected: str
) -> None:
    edit(checkout)
    said = checkout.refusal()
    assert expected in said
    assert len(said.partition("\nhint: ")[0].splitlines()) == 1


# A path matcher of the load balancer holds 1,000 rules.
EXPOSURES: list[Callable[[str], dict[str, Any]]] = [
    lambda path: {"kind": "http-load-balancer", "paths": [path]},
    lambda _: {"kind": "cluster-ip"},
]


def test_a_thousand_models_are_read_and_checked(checkout: Checkout) -> None:
    for team in range(50):
        entries = [
            {
                **RESNET,
                "name": f"m{team}-{n}",
                "exposure": EXPOSURES[n % 2](f"/v1/models/m{team}-{n}"),
            }
            for n in range(20)
        ]
        checkout.write(f"team-{team:02}.yaml", dumped(entries))
    assert len(names(checkout.read())) == 1000 + len(MODELS[2:])


# Where a mistake is.


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "gke-serving:models[0].exposure.kind: x",
            'stacks/Pulumi.dev.yaml:{kind}: model "resnet": gke-serving:models[0].exposure.kind: x',
        ),
        (
            "stacks/Pulumi.dev.yaml: gke-cluster:node_pools[1]: x\nhint: y",
            'stacks/Pulumi.dev.yaml:{pool}: node pool "serving": gke-cluster:node_pools[1]: x\n'
            "hint: y",
        ),
        (
            "gke-cluster:cluster.zones[0]: x",
            "stacks/Pulumi.dev.yaml:{zones}: gke-cluster:cluster.zones[0]: x",
        ),
        ("gke-cluster:absent: x", "stacks/Pulumi.dev.yaml: gke-cluster:absent: x"),
        ("layer cluster is not deployed in dev: x", "layer cluster is not deployed in dev: x"),
    ],
)
def test_a_message_names_the_line_and_the_entry(message: str, expected: str) -> None:
    lines = (ROOT / FILE).read_text().splitlines()
    known = {
        "kind": lines.index("        kind: http-load-balancer") + 1,
        "pool": lines.index("    - name: serving") + 1,
        "zones": lines.index("    zones: [europe-west4-a, europe-west4-b]") + 1,
    }
    assert positions.located(message, root=ROOT, environment="dev") == expected.format(**known)


@pytest.mark.parametrize(
    ("key", "noun"),
    [
        ("gke-cluster:compute_classes", "compute class"),
        ("gke-cluster:node_pools", "node pool"),
        ("gke-serving:policies", "policy"),
        ("gke-serving:models", "model"),
    ],
)
def test_an_entry_is_told_by_its_noun(tmp_path: Path, key: str, noun: str) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/Pulumi.dev.yaml").write_text(f"config:\n  {key}:\n    - name: a\n")
    told = positions.located(f"{key}[0]: x", root=tmp_path, environment="dev")
    assert told == f'stacks/Pulumi.dev.yaml:3: {noun} "a": {key}[0]: x'


def test_a_program_names_the_line() -> None:
    said = refusal(SERVING, {}, stack_config("dev") | {"gke-serving:models": "{}"})
    assert said.startswith("stacks/Pulumi.dev.yaml:")
    assert ": gke-serving:models: expected a list" in said


# Files that hold nothing.


@pytest.mark.parametrize(
    "text", ["", "# Soon.\n", "config:\n", "config: {}\n", "gke-cluster:x: 1\n"]
)
def test_a_file_without_configuration_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / FILE).write_text(text)
    with pytest.raises(PlatformError) as raised:
        stack_values.read("dev", root=tmp_path)
    assert str(raised.value).startswith(f"{FILE}: no configuration; put the environment's keys")


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_the_engine_s_run_says_the_same(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "values", dict)  # what the engine hands over for such a file
    assert refusal(layer, {}) == str(stack_values.no_keys(FILE))


def test_the_policy_check_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / FILE).write_text("")
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    with pytest.raises(CliError) as raised:
        judging.judged(["dev"], LAYERS, judging.declared_by)
    message, _, hint = str(stack_values.no_keys(FILE)).partition("\nhint: ")
    assert (str(raised.value), raised.value.hint) == (message, hint)


@pytest.mark.parametrize("text", ["- 1\n", "text\n", "config: [1]\n"])
def test_a_file_of_another_shape_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / FILE).write_text(text)
    with pytest.raises(PlatformError, match=rf"^{FILE}: .*expected a mapping"):
        stack_values.read("dev", root=tmp_path)


def test_a_key_without_a_namespace_is_the_project_s() -> None:
    values = {"node_pools": "[]", "gcp:project": "p"}
    assert stack_values.of_project(values, "gke-cluster") == {
        "gke-cluster:node_pools": "[]",
        "gcp:project": "p",
    }


# YAML as the engine reads it.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("12:30", "12:30"),
        ("2026-01-03", "2026-01-03"),
        ("1e3", 1000.0),
        ("0x1f", 31),
        ("5", 5),
        ("-1.5", -1.5),
        ("~", None),
        ("", None),
        ('"5"', "5"),
        ("{a: &x {b: 1}, c: {<<: *x, d: 2}}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
    ],
)
def test_a_scalar_is_what_the_engine_takes_it_for(text: str, value: object) -> None:
    assert yaml_files.parse(text, "f").value == value


def test_a_tag_that_would_make_an_object_is_refused() -> None:
    with pytest.raises(PlatformError, match=r"^f:1: not YAML: could not determine a constructor"):
        yaml_files.parse("a: !!python/name:os.system", "f")


def test_own_models_that_are_no_list_are_left_to_the_check() -> None:
    assert catalog_files.own_models({"gke-serving:models": "nonsense"}) == ()
    assert catalog_files.own_models({"gke-serving:models": '{"a": 1}'}) == ()


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("gke-cluster:models", "gke-cluster has no such key; write gke-serving:models"),
        ("gke-serving:node_pools", "gke-serving has no such key; write gke-cluster:node_pools"),
        ("platform:armor", "platform has no such key; write gke-networking:armor"),
        ("models", "a key has a namespace; write gke-serving:models"),
        ("gcp:regoin", 'did you mean "gcp:region"?'),
        ("gcp:impersonateServiceAcount", 'did you mean "gcp:impersonateServiceAccount"?'),
    ],
)
def test_a_key_of_another_namespace_is_refused(key: str, meant: str) -> None:
    with pytest.raises(PlatformError) as raised:
        stack_file.read(stack_config("dev") | {key: "[]"}, file=FILE)
    assert f"{FILE}: {key}: " in str(raised.value)
    assert meant in str(raised.value)


@pytest.mark.parametrize("key", ["gcp:zone", "gcp:computeCustomEndpoint", "aws:region"])
def test_a_key_that_a_provider_knows_passes(key: str) -> None:
    assert stack_file.read(stack_config("dev") | {key: "x"}, file=FILE).serving


def test_an_alias_of_what_contains_it_is_refused() -> None:
    text = "config:\n  gke-serving:models: &all\n  - name: a\n    more: *all\n"
    with pytest.raises(PlatformError, match=r"^F:2: an anchor .* holds an alias"):
        yaml_files.parse(text, "F")
    twice = yaml_files.parse("a: &x {b: 1}\nc: [*x, *x]\n", "F").value
    assert twice["c"] == [{"b": 1}, {"b": 1}]
