"""The program that loads and unloads adapters, against servers that speak the APIs.

vLLM's answers are those of the sandbox's server, which `tests/sandbox` compares with vLLM's.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.serving.pod_programs import adapter_sync
from infra.serving.pod_programs.adapter_sync import Storage, Sync, Wanted, main
from sandbox.traffic.model_servers import openai_rest
from sandbox.traffic.model_servers.kinds import model_server
from sandbox.traffic.model_servers.messages import Answer, Request
from sandbox.traffic.model_servers.served import Served
from tests.unit.pod_programs.hub_and_storage import World, served

CONFIG = {"peft_type": "LORA", "r": 8}


class Server:
    """A vLLM server on loopback; it answers nothing while it loads its model."""

    def __init__(self) -> None:
        found = model_server(
            {
                "name": "vllm",
                "image": "vllm/vllm-openai:v0.11.0",
                "args": ["/models", "--served-model-name=chat", "--enable-lora"],
                "env": [{"name": "VLLM_ALLOW_RUNTIME_LORA_UPDATING", "value": "True"}],
                "ports": [{"containerPort": 8000}],
            }
        )
        assert found is not None
        self.vllm = Served(pod="p", namespace="n", node="n", zone="z", version="v", server=found)
        self.is_up = True
        self.asked: list[str] = []
        """Paths and adapters of the POSTs."""
        self.refusals: dict[str, Answer] = {}
        """What it answers in place of its own answers, by path."""

    @contextmanager
    def on_loopback(self) -> Iterator[str]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if not outer.is_up:
                    self.close_connection = True
                    return
                if self.command == "POST":
                    given = json.loads(body)
                    name = given.get("lora_name") or given["model"]
                    outer.asked.append(f"{self.path} {name}")
                headers = [(b"content-type", b"application/json")]
                request = Request(self.command, self.path.encode(), headers, body)
                found = outer.refusals.get(self.path)
                answer = found or openai_rest.answer(outer.vllm, request)
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def do_POST(self) -> None:
                self.do_GET()

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
            thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield f"http://127.0.0.1:{http.server_address[1]}"
            finally:
                http.shutdown()
                thread.join()


class Pod:
    """The sidecar's view: its server, its bucket, its disk and the list that it is given."""

    def __init__(self, url: str, server: Server, world: World, folder: Path) -> None:
        self.server, self.world, self.url = server, world, url
        self.list, self.disk, self.ready = (folder / one for one in ("list", "disk", "ready"))
        self.disk.mkdir()

    def add(self, name: str, **config: Any) -> None:
        """Put an adapter's files into the bucket."""
        folder = f"adapters/{name}"
        self.world.objects |= {
            f"{folder}/": b"",  # as the console makes it for a folder
            f"{folder}/adapter_config.json": json.dumps(CONFIG | config).encode(),
            f"{folder}/adapter_model.safetensors": name.encode() * 1000,
            f"{folder}/more/words.txt": b"words",
        }

    def look(self, **sources: str) -> dict[str, str]:
        """The adapters that the server has after one look; `sources` is the list."""
        listed = [
            {"name": name, "source": f"gs://models/adapters/{source}", "folder": f"{name}-{source}"}
            for name, source in sources.items()
        ]
        self.list.write_text(json.dumps(listed))
        words = {"list": self.list, "server": self.url, "disk": self.disk, "ready": self.ready}
        given = [f"--{name}={value}" for name, value in words.items()]
        assert main([*given, "--max-rank=16", "--once"]) == 0
        return self.server.vllm.adapters


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pod]:
    server = Server()
    with served(World()) as world, server.on_loopback() as url:
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        found = Pod(url, server, world, tmp_path)
        found.add("a")
        found.add("b")
        yield found


def test_adapters_are_copied_and_loaded(pod: Pod) -> None:
    assert pod.look(a="a", b="b") == {"a": f"{pod.disk}/a-a", "b": f"{pod.disk}/b-b"}
    assert (pod.disk / "a-a" / "adapter_model.safetensors").read_bytes() == b"a" * 1000
    assert (pod.disk / "a-a" / "more" / "words.txt").read_bytes() == b"words"
    assert pod.ready.exists()


def test_a_second_look_changes_nothing(pod: Pod) -> None:
    pod.look(a="a")
    read = len(pod.world.asked)
    pod.look(a="a")
    # A sidecar that starts again does not know whether there was a first request.
    assert pod.server.asked == ["/v1/load_lora_adapter a", *["/v1/completions a"] * 2]
    assert len(pod.world.asked) == read


def test_an_adapter_that_is_listed_no_more_is_unloaded_and_its_files_deleted(pod: Pod) -> None:
    pod.look(a="a", b="b")
    assert pod.look(b="b").keys() == {"b"}
    assert [one.name for one in pod.disk.iterdir()] == ["b-b"]


def test_another_source_takes_the_place_of_the_former_one(pod: Pod) -> None:
    pod.look(a="a")
    assert pod.look(a="b") == {"a": f"{pod.disk}/a-b"}
    # In place: no request meets a server without the adapter.
    assert pod.server.asked == ["/v1/load_lora_adapter a", "/v1/completions a"] * 2


def test_a_server_that_starts_again_gets_all_of_them_again(pod: Pod) -> None:
    pod.look(a="a", b="b")
    pod.server.vllm.adapters.clear()
    assert pod.look(a="a", b="b").keys() == {"a", "b"}


def in_one_process(pod: Pod, looks: int) -> None:
    """Several looks of one program, which remembers what it has done."""
    given = pod.world.environment
    storage = Storage(endpoint=given["STORAGE_ENDPOINT"], metadata=given["GCE_METADATA_HOST"])
    sync = Sync(pod.url, storage, pod.disk, max_rank=16)
    for _ in range(looks):
        assert sync.once([Wanted("a", "gs://models/adapters/a", "a-a")])


def test_an_adapter_s_first_request_is_sent_once(pod: Pod) -> None:
    in_one_process(pod, looks=3)
    assert pod.server.asked == ["/v1/load_lora_adapter a", "/v1/completions a"]


def test_a_server_that_writes_no_text_is_asked_for_an_embedding(pod: Pod) -> None:
    pod.server.refusals["/v1/completions"] = Answer.of({"detail": "Not Found"}, 404)
    in_one_process(pod, looks=2)
    assert pod.server.asked[1:] == ["/v1/completions a", "/v1/embeddings a"]


def test_a_first_request_that_fails_is_said_and_sent_again_later(
    pod: Pod, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = {"error": {"message": "EngineCore encountered an issue."}}
    pod.server.refusals["/v1/completions"] = Answer.of(refusal, 500)
    in_one_process(pod, looks=2)
    assert pod.server.asked == ["/v1/load_lora_adapter a", "/v1/completions a"]
    said = "it is loaded, and its first request fails: EngineCore encountered an issue."
    assert f"adapter a (gs://models/adapters/a): {said}" in capfd.readouterr().err
    monkeypatch.setattr(adapter_sync, "RETRY", 0.0)
    in_one_process(pod, looks=2)
    assert pod.server.asked[2:] == ["/v1/completions a"] * 2


def test_files_are_copied_while_the_server_loads_its_model(pod: Pod) -> None:
    pod.server.is_up = False
    assert pod.look(a="a") == {}
    assert (pod.disk / "a-a").is_dir()
    assert not pod.ready.exists()
    pod.server.is_up = True
    read = len(pod.world.asked)
    assert pod.look(a="a").keys() == {"a"}
    assert len(pod.world.asked) == read


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"r": 64}, "it has rank 64, and lora.max_rank is 16"),
        ({"peft_type": "PROMPT_TUNING"}, "it is of kind PROMPT_TUNING, not LORA"),
        ({"r": "many"}, "cannot be read"),
    ],
)
def test_a_wrong_adapter_is_said_and_does_not_hinder_the_others(
    pod: Pod, capfd: pytest.CaptureFixture[str], config: dict[str, Any], said: str
) -> None:
    pod.add("wrong", **config)
    assert pod.look(wrong="wrong", a="a").keys() == {"a"}
    error = capfd.readouterr().err
    assert "adapter wrong (gs://models/adapters/wrong): " in error
    assert said in error
    assert not (pod.disk / "wrong-wrong").exists()
    assert pod.ready.exists()


def test_an_empty_folder_and_one_without_weights_are_said(
    pod: Pod, capfd: pytest.CaptureFixture[str]
) -> None:
    del pod.world.objects["adapters/a/adapter_model.safetensors"]
    assert pod.look(a="a", none="none") == {}
    error = capfd.readouterr().err
    assert "it has no adapter_model.safetensors" in error
    assert "gs://models/adapters/none has no files" in error


def test_a_file_that_changes_on_its_way_is_refused(
    pod: Pod, capfd: pytest.CaptureFixture[str]
) -> None:
    name = "adapters/a/adapter_model.safetensors"
    pod.world.changed[name] = pod.world.objects[name][::-1][:-1] + b"x"
    assert pod.look(a="a") == {}
    assert "was changed on its way: its MD5 differs" in capfd.readouterr().err


def test_what_the_server_refuses_is_said_in_its_words(
    pod: Pod, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = {"error": {"message": "LoRA rank 8 is greater than max_lora_rank 4."}}
    answer = Answer.of(refusal, 400)
    monkeypatch.setattr(openai_rest, "_adapters", lambda *_: answer)
    assert pod.look(a="a") == {}
    assert "adapter a (gs://models/adapters/a): LoRA rank 8 is greater" in capfd.readouterr().err


def test_a_list_that_cannot_be_read_leaves_the_server_as_it_is(pod: Pod) -> None:
    pod.look(a="a")
    pod.list.write_text("[")
    assert main(
        [f"--list={pod.list}", f"--server={pod.url}", f"--disk={pod.disk}", f"--ready={pod.ready}",
         "--max-rank=16", "--once"]
    ) == 0  # fmt: skip
    assert pod.server.vllm.adapters.keys() == {"a"}
