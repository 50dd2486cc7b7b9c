"""`pulumi policy publish` accepts the exported pack, and what it uploads runs by itself."""

import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gkeplatform.environment import environments
from gkeplatform.errors import PlatformError
from policies import publishing
from policies.registry import RULES
from sandbox import engine

ROOT = Path(__file__).parents[2]
ALONE = """
import sys
sys.path[:] = [sys.argv[1], *(one for one in sys.path if one not in ("", sys.argv[2]))]
from pulumi.runtime.proto import analyzer_pb2
from policies.pack import Pack
from policies.registry import RULES
from policies.server import Analyzer
import gkeplatform, policies
assert all(one.__file__.startswith(sys.argv[1]) for one in (gkeplatform, policies))
analyzer = Analyzer.of(Pack(RULES))
analyzer.ConfigureStack(analyzer_pb2.AnalyzerStackConfigureRequest(stack="dev"), None)
print(len(analyzer.GetAnalyzerInfo(None, None).policies))
"""


def run_alone(folder: Path) -> int:
    """The number of policies of the pack in a folder, without the repository on the path."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(folder), str(ROOT)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


class Service:
    """The part of Pulumi's service that takes policy packs, as its client calls it."""

    def __init__(self) -> None:
        self.pack: dict[str, Any] = {}
        self.archive = b""
        self.is_complete = False
        service = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                text = json.dumps(service.answer(self.command, self.path, body)).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = answer  # noqa: N815 (the library's names)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        if path == "/api/user":
            return {"githubLogin": "me", "organizations": [{"githubLogin": "acme"}]}
        if (method, path) == ("POST", "/api/orgs/acme/policypacks"):
            self.pack = json.loads(body)
            return {"version": 1, "uploadURI": f"{self.url}/upload", "requiredHeaders": {}}
        if (method, path) == ("PUT", "/upload"):
            self.archive = body
        elif path.endswith("/complete"):
            self.is_complete = True
        return {}


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    threading.Thread(target=found.server.serve_forever, daemon=True).start()
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_the_exported_pack_needs_nothing_of_the_repository(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    publishing.write(ROOT, folder)
    assert run_alone(folder) == len(RULES)
    required = (folder / "requirements.txt").read_text().splitlines()
    assert [one.partition("==")[0] for one in required] == list(publishing.REQUIREMENTS)
    assert environments(folder) == environments(ROOT)
    assert "virtualenv: venv" in (folder / "PulumiPolicy.yaml").read_text()
    with pytest.raises(PlatformError, match="not an empty folder"):
        publishing.write(ROOT, folder)


def test_no_configuration_of_a_stack_is_exported(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    publishing.write(ROOT, folder)
    stacks = [file.read_text() for file in (folder / "stacks").iterdir()]
    assert set(stacks) == {"config: {}\n"}


@pytest.mark.slow
@pytest.mark.xdist_group("engine")
def test_pulumi_publishes_the_pack(tmp_path: Path, service: Service) -> None:
    folder = tmp_path / "pack"
    publishing.write(ROOT, folder)
    # Publishing runs the pack; here in these tests' virtual environment.
    (folder / "venv").symlink_to(Path(sys.executable).parent.parent)
    tools = engine.ensure()
    tools.install(tmp_path / "bin", tmp_path / "home")
    done = subprocess.run(
        ["pulumi", "policy", "publish", "acme"],
        cwd=folder,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")},
            "PATH": f"{tmp_path / 'bin'}:{tools.pulumi.parent}:{os.environ['PATH']}",
            "PULUMI_HOME": str(tmp_path / "home"),
            "PULUMI_BACKEND_URL": service.url,
            "PULUMI_ACCESS_TOKEN": "a test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        },
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert service.is_complete
    assert (service.pack["name"], service.pack["runtime"]) == ("gke-policies", "python")
    published = {one["name"]: one for one in service.pack["policies"]}
    assert published.keys() == {rule.id for rule in RULES}
    for rule in RULES:
        one = published[rule.id]
        assert (one["enforcementLevel"], one["severity"]) == (rule.level, rule.severity)
        assert one["remediationSteps"] == rule.fix
        given = set(one["configSchema"]["properties"]) - {"enforcementLevel"}
        assert bool(given) is (rule.parameters is not None)
    with tarfile.open(fileobj=io.BytesIO(service.archive)) as archive:
        archive.extractall(tmp_path / "downloaded", filter="data")
        assert not [name for name in archive.getnames() if name.startswith("package/venv")]
    assert run_alone(tmp_path / "downloaded" / "package") == len(RULES)
