"""Paths of models on the load balancer: which are accepted, and what the server receives."""

import re
from typing import Any

import msgspec
import pytest

from facts.url_map_routing import Request, route
from gkeplatform import url_map_limits
from gkeplatform.contracts import ServedModel
from gkeplatform.environment import Environment
from gkeplatform.naming import Naming
from infra.networking.contract import check_url, url
from infra.networking.url_map import arguments
from infra.networking.url_map.expectations import cases
from infra.networking.url_map.matchers import matchers
from infra.serving.config import ServingConfig
from infra.serving.exposures.endpoint_groups import GroupNames
from infra.serving.models.presets import PRESETS

NAMING = Naming(
    Environment(system="acme-ml", name="dev", project="acme-ml-dev", region="europe-west4")
)
NAMES = GroupNames(naming=NAMING, cluster="c1")
AMOUNTS = {"cpu": "4", "memory": "16Gi"}
GPU = {"gpu": {"type": "nvidia-l4"}}
CUSTOM = {"rest_port": 9000, "path": "/v1/models", "ready": "/health", "also": ["/v1/chat"]}


def entry(name: str, server: str, *paths: str, **exposure: Any) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {
        "vllm": {"files": {"via": "gcs-fuse"}},
        "triton": {"files": {"via": "download", "size": "5Gi"}},
        "kserve-v2": {"files": {"via": "download", "size": "5Gi"}},
        "custom": {"custom": CUSTOM, "image": "a/b:1", "files": {"via": "gcs-fuse"}},
    }
    more = kinds.get(server, {})
    return {
        "name": name,
        "server": server,
        "source": f"gs://acme-ml-dev-models/{name}",
        "replicas": {"min": 1, "max": 1},
        "resources": {"requests": AMOUNTS, "limits": AMOUNTS, **(GPU if server == "vllm" else {})},
        "exposure": {"kind": "http-load-balancer", "paths": list(paths), **exposure},
        **more,
    }


def config(*entries: dict[str, Any]) -> ServingConfig:
    return msgspec.convert({"models": entries}, ServingConfig)


def spelled(value: Any) -> Any:
    """Arguments as the API spells them."""
    if isinstance(value, dict):
        return {
            re.sub(r"_(\w)", lambda m: m[1].upper(), key): spelled(v) for key, v in value.items()
        }
    return [spelled(one) for one in value] if isinstance(value, list) else value


def url_map(*entries: dict[str, Any]) -> dict[str, Any]:
    """The URL map of these models."""
    served = [
        ServedModel(
            name=one.name,
            namespace=one.namespace,
            path=one.path,
            exposure=one.exposure.kind,
            route=one.exposure.route(one, zones=("a",), names=NAMES),
        )
        for one in config(*entries).entries
    ]
    planned = matchers(served)
    links: Any = {one.name: f"service-{one.name}" for one in served}
    default: Any = "static"
    made = {
        "host_rules": arguments.host_rules(planned),
        "path_matchers": [arguments.path_matcher(one, links, default) for one in planned],
    }
    assert cases(planned)
    return dict(spelled(made))


def arrival(routed: dict[str, Any], host: str, path: str) -> tuple[tuple[str, ...], str]:
    """Where a request goes, and the path that arrives."""
    outcome = route(routed, Request(host, path, {}))
    return outcome.services, outcome.url.removeprefix(f"http://{host}")


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/rerank",
        "/v1/messages",
        "/v1/audio",
        "/v1/audio/transcriptions",
        "/v2/rerank",
        "/tokenize",
        "/detokenize",
        "/pooling",
        "/classify",
        "/score",
        "/rerank",
        "/v1/chat/completions/render",
    ],
)
def test_all_routes_of_vllm_may_be_claimed(path: str) -> None:
    (found,) = config(entry("m1", "vllm", path)).entries
    assert found.exposure.paths == (path,)


@pytest.mark.parametrize(
    ("server", "path", "target"),
    [
        ("vllm", "/a/v1", "/v1"),
        ("vllm", "/a", "/"),
        ("triton", "/a/v2", "/v2"),
        ("triton", "/v2/health", None),
        ("kserve-v2", "/a/v2/models", "/v2/models"),
        ("tensorflow-serving", "/a/v1/models", "/v1/models"),
        ("tensorflow-serving", "/a", "/"),
        ("custom", "/a/v1", "/v1"),
        ("custom", "/v1/chat/completions", None),
    ],
)
def test_a_prefix_of_a_served_path_may_be_claimed(
    server: str, path: str, target: str | None
) -> None:
    rewrites = {path: target} if target else {}
    assert config(entry("m1", server, path, rewrites=rewrites)).entries


@pytest.mark.parametrize(
    ("server", "path", "said"),
    [
        ("vllm", "/v1/chat/completion", 'did you mean "/v1/chat/completions"?'),
        ("triton", "/v1/models/m1", 'did you mean "/v2/models/m1"?'),
        ("custom", "/generate", "add it to custom.also if the server knows it"),
    ],
)
def test_a_path_that_no_server_knows_is_refused(server: str, path: str, said: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        config(entry("m1", server, path))
    assert f"exposure.paths[0]: {server} answers" in str(raised.value)
    assert said in str(raised.value)
    # Rewriting a route to the status path would break it.
    assert "rewrites: {" not in str(raised.value)


@pytest.mark.parametrize("is_dense", [False, True])
@pytest.mark.parametrize(("target", "sent"), [("/v1", "/{}/v1"), ("/", "/{}")])
def test_two_models_of_one_host_arrive_by_prefix(
    target: str, sent: str, is_dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(url_map_limits, "MOST", 0 if is_dense else 1000)
    made = [
        entry(name, "vllm", path, rewrites={path: target}, hosts=["llm.example"])
        for name, path in (("a1", sent.format("a")), ("b1", sent.format("b")))
    ]
    monkeypatch.setattr("infra.serving.exposures.claims.url_map_limits.excess", lambda _: None)
    routed = url_map(*made)
    for name, prefix in (("a1", "/a"), ("b1", "/b")):
        for path in ("/v1/chat/completions", "/v1/models", "/v1/rerank?x=1"):
            assert arrival(routed, "llm.example", prefix + path) == ((f"service-{name}",), path)
    assert arrival(routed, "llm.example", "/v1/models")[0] == ("static",)


def test_a_stripped_prefix_keeps_the_verbs_of_tensorflow_serving() -> None:
    routed = url_map(entry("m1", "tensorflow-serving", "/a", rewrites={"/a": "/"}))
    path = "/v1/models/m1:predict"
    assert arrival(routed, "any.example", f"/a{path}") == (("service-m1",), path)


def test_the_url_of_a_model_is_the_one_of_its_status() -> None:

    def of(server: str, *paths: str, **rewrites: Any) -> str:
        (one,) = config(entry("m1", server, *paths, **rewrites)).entries
        made = one.exposure.route(one, zones=("a",), names=NAMES)
        served = ServedModel(name="m1", namespace="models", path=one.path, exposure="", route=made)
        return url(served, "192.0.2.1").removeprefix("http://192.0.2.1")

    assert of("vllm", "/v1/rerank", "/v1") == "/v1/models"
    assert of("vllm", "/a/v1", rewrites={"/a/v1": "/v1"}) == "/a/v1/models"
    assert of("vllm", "/a", rewrites={"/a": "/"}) == "/a/v1/models"
    assert of("vllm", "/v1/rerank") == "/v1/rerank"


def checked(server: str, *paths: str, more: dict[str, Any] | None = None, **keys: Any) -> Any:
    """The path that an uptime check asks, and the server's path behind it; None without a check."""
    given = entry("m1", server, *paths, **keys) | (more or {})
    (one,) = config(given).entries
    made = one.exposure.route(one, zones=("a",), names=NAMES)
    served = ServedModel(name="m1", namespace="models", path=one.path, exposure="", route=made)
    found = check_url(served, "192.0.2.1")
    return found and found.removeprefix("http://192.0.2.1")


@pytest.mark.parametrize(
    ("server", "paths", "rewrites", "asked"),
    [
        ("tensorflow-serving", ["/v1/models/m1"], {}, "/v1/models/m1"),
        ("tensorflow-serving", ["/m1"], {"/m1": "/v1/models/m1"}, "/m1"),
        ("triton", ["/v2/models/m1"], {}, "/v2/models/m1/ready"),
        ("triton", ["/v2"], {}, "/v2/models/m1/ready"),
        ("triton", ["/v2/models/m1/infer"], {}, None),
        ("triton", ["/v2/models/m1/infer", "/v2/health"], {}, "/v2/health/live"),
        ("kserve-v2", ["/v2/models/m1"], {}, "/v2/models/m1/ready"),
        ("kserve-v2", ["/invocations"], {}, None),
        ("kserve-v2", ["/v2/models/m1/infer"], {}, None),
        ("vllm", ["/v1/chat/completions"], {}, None),
        ("vllm", ["/v1/embeddings", "/v1/rerank"], {}, None),
        ("vllm", ["/v1/chat/completions", "/health"], {}, "/health"),
        ("vllm", ["/v1/chat/completions", "/version"], {}, "/version"),
        ("vllm", ["/v1"], {}, "/v1/models"),
        ("vllm", ["/a/v1"], {"/a/v1": "/v1"}, "/a/v1/models"),
        ("vllm", ["/chat"], {"/chat": "/v1/chat/completions"}, None),
        ("vllm", ["/chat", "/up"], {"/chat": "/v1/chat/completions", "/up": "/health"}, "/up"),
        ("custom", ["/v1/models"], {}, "/v1/models"),
        ("custom", ["/v1/chat"], {}, None),
    ],
)
def test_an_uptime_check_asks_what_answers_a_get(
    server: str, paths: list[str], rewrites: dict[str, str], asked: str | None
) -> None:
    assert checked(server, *paths, rewrites=rewrites) == asked


@pytest.mark.parametrize(
    ("path", "also", "asked"),
    [
        ("/v1/chat/completions", [], None),
        ("/predict", [], None),
        ("/predictions/{name}", [], None),
        ("/generate", ["/ready"], "/ready"),
        ("/models/{name}", [], "/models/m1"),
    ],
)
def test_a_custom_server_s_path_may_take_post_only(
    path: str, also: list[str], asked: str | None
) -> None:
    custom = {"rest_port": 9000, "path": path, "ready": "/ready", "also": also}
    paths = [one.replace("{name}", "m1") for one in (path, *also)]
    assert checked("custom", *paths, more={"custom": custom}) == asked


def test_grpc_and_a_model_without_replicas_answer_no_get() -> None:
    grpc = ["/tensorflow.serving.PredictionService"]
    assert checked("tensorflow-serving", *grpc, protocol="grpc") is None
    backlog = {"kind": "pubsub-backlog", "subscription": "jobs", "average": "5"}
    idle = {"replicas": {"min": 0, "max": 2}, "autoscaling": {"metrics": [backlog]}}
    assert checked("tensorflow-serving", "/v1/models/m1", more=idle) is None


def test_every_preset_states_its_routes() -> None:
    for preset in PRESETS.values():
        assert all(path.startswith("/") and not path.endswith("/") for path in preset.also)


def test_a_further_model_of_triton_has_paths_of_its_own() -> None:
    paths = ("/v2/models/rank", "/v2/models/embed/infer")
    rank = entry("rank", "triton", *paths) | {"files": {"via": "direct"}}
    for words in (["--load-model=embed"], ["--load-model", "embed"], ["--load-model=*"]):
        assert config(rank | {"arguments": words})
    for mode in ("none", "poll"):  # every model of the repository
        assert config(rank | {"arguments": [f"--model-control-mode={mode}"]})
    with pytest.raises(msgspec.ValidationError, match="not on /v2/models/embed/infer"):
        config(rank)
    with pytest.raises(msgspec.ValidationError, match="not on /v2/models/embed/infer"):
        config(rank | {"arguments": ["--load-model=other"]})


def test_a_further_model_of_triton_needs_its_files() -> None:
    rank = entry("rank", "triton", "/v2/models/rank") | {"arguments": ["--load-model=embed"]}
    with pytest.raises(msgspec.ValidationError, match=r'no files of "embed".*via: direct'):
        config(rank)
    assert config(rank | {"files": {"via": "direct"}})
    assert config(rank | {"arguments": ["--load-model=rank"]})
