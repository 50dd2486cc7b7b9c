"""`platformctl size`: models of the table, of a file and of Hugging Face; what fits."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.commands.size import size
from cli.errors import CliError, Exit
from cli.sizing import configurations
from facts import models

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def document(capsys: pytest.CaptureFixture[str], model: str, **options: Any) -> dict[str, Any]:
    with contextlib.suppress(typer.Exit):
        size(model, json=True, **options)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_model_that_fits_is_shown_with_its_arithmetic(
    capsys: pytest.CaptureFixture[str],
) -> None:
    size(LLAMA, gpu="nvidia-l4", context="8K")
    found = capsys.readouterr().out
    assert f"{LLAMA} on 1 x nvidia-l4" in found
    assert "- weights              14.96 GiB  8.03 billion parameters, bfloat16" in found
    assert "128.0 KiB a token" in found
    assert "4.7  of 8,192 tokens" in found
    assert "it fits" in found


def test_a_model_that_does_not_fit_is_exit_code_1_with_what_would(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit) as raised:
        size("Llama-3.3-70B-Instruct", gpu="nvidia-l4")
    assert raised.value.exit_code == 1
    found = capsys.readouterr().out
    assert "it does not fit: nothing is left for the KV cache" in found
    assert "it would fit with --gpus 8 --context 45120, or --gpus 16" in found


def test_what_it_would_fit_with_does_fit(capsys: pytest.CaptureFixture[str]) -> None:
    names = {"--gpus": "gpus", "--context": "context", "--dtype": "dtype", "--kv-dtype": "kv_dtype"}
    for model in (LLAMA, "openai/gpt-oss-120b", "google/gemma-3-12b-it"):
        found = document(capsys, model, gpu="nvidia-l4")
        assert found["fits"] is False
        assert found["fitsWith"]
        for option in found["fitsWith"]:
            words = option.split()
            given = {
                names[name]: value for name, value in zip(words[::2], words[1::2], strict=True)
            }
            if "gpus" in given:
                given["gpus"] = int(given["gpus"])
            assert document(capsys, model, gpu="nvidia-l4", **given)["fits"], (model, option)


def test_the_document_has_the_bytes_of_one_accelerator(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = document(capsys, LLAMA, gpu="nvidia-h100-80gb", gpus=2, loras=1)
    sizes = found["bytes"]
    spent = sum(sizes[key] for key in ("weights", "adapters", "activations", "unmanaged"))
    assert sizes["kvCache"] == sizes["budget"] - spent
    assert sizes["adapters"] > 0
    assert sizes["kvCachePerToken"] == 65_536
    assert (found["tensorParallelSize"], found["count"], found["ok"]) == (2, 2, True)


def test_a_configuration_may_be_a_file_or_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(models.configuration(LLAMA)))
    for place in (file, tmp_path):
        assert document(capsys, str(place), gpu="nvidia-l4")["parameters"] == 8_030_261_248


WRONG = [
    ("{", "is not JSON"),
    ("[]", "is not a JSON object"),
    ('{"model_type": "mamba"}', "model_type 'mamba' is not known"),
    ('{"model_type": "llama", "text_config": 3}', "a key is not as in a published config.json"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_file_that_is_no_configuration_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(CliError, match=message) as raised:
        size(str(file), gpu="nvidia-l4")
    assert raised.value.code == Exit.USAGE


MISTAKES: list[tuple[str, dict[str, Any], str, str]] = [
    (LLAMA, {"gpu": "l4"}, "the memory of `l4` is not known", "nvidia-l4"),
    (LLAMA, {"gpu": "nvidia-l4", "gpus": 3, "pipeline": 2}, "into 2 stages", "a multiple"),
    (LLAMA, {"gpu": "nvidia-l4", "gpus": 3}, "32 attention heads cannot be divided by 3", ""),
    (LLAMA, {"gpu": "nvidia-l4", "context": "long"}, "is not a number of tokens", "8192"),
    (LLAMA, {"gpu": "nvidia-l4", "dtype": "int3"}, "not a precision of weights", ""),
    (LLAMA, {"gpu": "nvidia-l4", "kv_dtype": "int3"}, "not a type of the KV cache", ""),
    ("llama-3.3", {"gpu": "nvidia-l4"}, "neither a file nor the name", "Llama-3.3-70B-Instruct"),
    ("./absent.json", {"gpu": "nvidia-l4"}, "cannot be read: No such file", "config.json"),
]


@pytest.mark.parametrize(("model", "options", "message", "hint"), MISTAKES)
def test_a_mistake_is_one_line_with_a_hint(
    model: str, options: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(CliError, match=message) as raised:
        size(model, **options)
    assert hint in raised.value.hint
    assert "\n" not in str(raised.value)


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers for three models as Hugging Face does."""

    def do_GET(self) -> None:
        path, allowed = self.path, self.headers.get("Authorization") == "Bearer mine"
        config = json.dumps(models.configuration(LLAMA)).encode()
        if path == "/acme/open/resolve/main/config.json" or (
            path.startswith("/acme/gated") and allowed
        ):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(config)
        else:
            self.send_response(401 if path.startswith("/acme/gated") else 404)
            self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_another_model_is_downloaded(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = configurations.find("acme/open", hub=hub)
    assert (found.name, found.model.layers) == ("acme/open", 32)
    with pytest.raises(
        CliError, match="answers 401: there is no such model, or it is gated"
    ) as gated:
        configurations.find("acme/gated", hub=hub)
    assert "HF_TOKEN" in gated.value.hint
    monkeypatch.setenv("HF_TOKEN", "mine")
    assert configurations.find("acme/gated", hub=hub).model.layers == 32
    with pytest.raises(CliError, match=r"acme/absent is not in the table, and .* answers 404"):
        configurations.find("acme/absent", hub=hub)


def test_without_a_network_it_says_so() -> None:
    with pytest.raises(CliError, match=r"is not in the table, and .* cannot be reached") as raised:
        configurations.find("Qwen/Qwen3-9B", hub="http://127.0.0.1:1")
    assert "did you mean `Qwen/Qwen3-8B`?" in raised.value.hint


def test_a_model_of_the_table_needs_no_network() -> None:
    found = configurations.find(LLAMA, hub="http://127.0.0.1:1")
    assert found.source == f"the table of {models.date()}"
