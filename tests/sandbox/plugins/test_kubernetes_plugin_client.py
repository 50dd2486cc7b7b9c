"""The kubernetes plugin's client: kubeconfigs, credentials, retries."""

import base64
import json
import stat
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sandbox.plugins.kubernetes import kubeconfig
from sandbox.plugins.kubernetes.client import ApiError, Client, Unreachable
from sandbox.plugins.kubernetes.kubeconfig import Cluster
from sandbox.plugins.kubernetes.plugin import KubernetesProvider
from sandbox.plugins.provider import UNKNOWN, PluginError
from tests.sandbox.plugins.kubernetes_plugin_harness import Engine, token_of

Json = dict[str, Any]
Reply = tuple[int, Json]
CONFIG_MAP = token_of("v1", "ConfigMap")


def config(server: str = "https://10.0.0.1", user: Json | None = None, **cluster: Any) -> str:
    return json.dumps(
        {
            "current-context": "main",
            "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
            "contexts": [
                {"name": "main", "context": {"cluster": "c", "user": "u"}},
                {"name": "other", "context": {"cluster": "c", "user": "u", "namespace": "n"}},
            ],
            "users": [{"name": "u", "user": user or {}}],
        }
    )


class Server:
    """Answers with what is queued, then with 200 and nothing in it."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.seen: list[tuple[str, str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.partition("?")[0]
                outer.seen.append((self.command, path, self.headers.get("Authorization", "")))
                code, body = outer.replies.pop(0) if outer.replies else (200, {})
                content = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(content)))
                for name, value in body.get("headers", {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PATCH = do_POST = do_DELETE = _answer  # noqa: N815

            def log_message(self, *arguments: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    client = Client(kubeconfig.load(config(server.url)), threading.Event())
    yield client
    client.close()


def refused(code: int, message: str, **status: Any) -> Reply:
    return code, {"kind": "Status", "code": code, "message": message, **status}


# Kubeconfigs.


def test_a_kubeconfig_is_read_from_text_path_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    file.write_text(config("https://10.0.0.2/"))
    assert kubeconfig.load(config()).server == "https://10.0.0.1"
    assert kubeconfig.load(str(file)).server == "https://10.0.0.2"
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/absent:{file}")
    assert kubeconfig.load(None).server == "https://10.0.0.2"


def test_a_context_sets_the_namespace() -> None:
    assert kubeconfig.load(config()).namespace == "default"
    assert kubeconfig.load(config(), "other").namespace == "n"


def test_relative_paths_are_resolved_from_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    file = tmp_path / "config"
    file.write_text(config(user={"tokenFile": "token"}))
    assert kubeconfig.load(str(file)).credentials.token() == "from-a-file"


@pytest.mark.parametrize(
    ("given", "context", "words"),
    [
        (config(), "absent", "contexts has no entry called 'absent'"),
        ("{}", None, "it has no clusters"),
        ("{", None, "cannot be used"),
        ("/does/not/exist", None, "No such file"),
    ],
)
def test_an_invalid_kubeconfig_is_a_one_line_error(
    given: str, context: str | None, words: str
) -> None:
    with pytest.raises(PluginError) as caught:
        kubeconfig.load(given, context)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def plugin(folder: Path, script: str) -> Json:
    file = folder / "auth-plugin"
    file.write_text(f"#!/bin/sh\necho x >> {folder}/asked\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IEXEC)
    return {"exec": {"command": str(file), "apiVersion": "client.authentication.k8s.io/v1beta1"}}


def credential(token: str, until: str | None = None) -> str:
    status = {"token": token} | ({"expirationTimestamp": until} if until else {})
    return "echo '" + json.dumps({"kind": "ExecCredential", "status": status}) + "'"


def cluster(user: Json) -> Cluster:
    return kubeconfig.load(config(user=user))


def test_an_exec_plugin_runs_once_until_its_token_expires(tmp_path: Path) -> None:
    found = cluster(plugin(tmp_path, credential("t", "2999-01-01T00:00:00Z"))).credentials
    assert [found.token() for _ in range(3)] == ["t"] * 3
    assert (tmp_path / "asked").read_text() == "x\n"
    expired = cluster(plugin(tmp_path, credential("t", "2020-01-01T00:00:00Z"))).credentials
    expired.token()
    expired.token()
    assert (tmp_path / "asked").read_text() == "x\n" * 3


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo log in first >&2; exit 1", "gave no credentials: log in first"),
        ("echo nonsense", "did not answer with an ExecCredential"),
    ],
)
def test_the_error_of_a_failing_exec_plugin_is_shown(
    tmp_path: Path, script: str, words: str
) -> None:
    with pytest.raises(PluginError, match=words):
        cluster(plugin(tmp_path, script)).credentials.token()


def test_a_missing_exec_plugin_is_named_with_its_hint() -> None:
    user = {"exec": {"command": "no-such-plugin", "installHint": "install it\nfrom there"}}
    with pytest.raises(PluginError, match="`no-such-plugin` is not installed: install it from"):
        cluster(user).credentials.token()


def test_a_rejected_token_is_renewed(tmp_path: Path, server: Server) -> None:
    user = plugin(tmp_path, credential("t"))
    client = Client(kubeconfig.load(config(server.url, user)), threading.Event())
    client.request("GET", "/a")
    time.sleep(1.1)
    server.replies = [refused(401, "Unauthorized"), (200, {"fine": True})]
    assert client.request("GET", "/b") == {"fine": True}
    assert (tmp_path / "asked").read_text() == "x\n" * 2
    server.replies = [refused(401, "Unauthorized"), refused(401, "Unauthorized")]
    with pytest.raises(ApiError, match="does not accept the kubeconfig's credentials"):
        client.request("GET", "/c")
    client.close()


# The provider's identity.


def other_authority(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def trusting(server: str, authority: str) -> Any:
    """A kubeconfig of a cluster with this authority."""
    cluster: dict[str, Any] = {"certificate-authority-data": other_authority(authority)}
    return config(server, **cluster)


@pytest.mark.parametrize(
    ("old", "new", "replaced"),
    [
        (config(user={"token": "a"}), config(user={"token": "b"}), False),
        (config("https://10.0.0.1"), config("https://10.0.0.2"), True),
        (
            trusting("https://10.0.0.1", "a"),
            trusting("https://10.0.0.2", "a"),
            False,
        ),
        (
            trusting("https://10.0.0.1", "a"),
            trusting("https://10.0.0.1", "b"),
            True,
        ),
        (config(), UNKNOWN, False),
    ],
)
def test_another_cluster_replaces_the_objects(old: Any, new: Any, replaced: bool) -> None:
    diff = KubernetesProvider().diff_config({"kubeconfig": old}, {"kubeconfig": new})
    assert diff.changes
    assert bool(diff.replaces) == replaced


def test_a_cluster_identifier_takes_precedence() -> None:
    old = {"kubeconfig": config("https://10.0.0.1"), "clusterIdentifier": "x"}
    new = {"kubeconfig": config("https://10.0.0.2"), "clusterIdentifier": "x"}
    assert not KubernetesProvider().diff_config(old, new).replaces
    assert KubernetesProvider().diff_config(old, {**new, "clusterIdentifier": "y"}).replaces


# Requests.


@pytest.mark.parametrize("code", [429, 500, 503, 504])
def test_transient_failures_are_retried(server: Server, client: Client, code: int) -> None:
    server.replies = [refused(code, "failed calling webhook"), (200, {"fine": True})]
    assert client.request("PATCH", "/a", {}) == {"fine": True}
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("code", "message"),
    [(400, "bad"), (404, "no"), (409, "taken"), (422, "invalid"),
     (500, "failed to create typed patch object: field not declared in schema")],
)  # fmt: skip
def test_permanent_failures_are_not_retried(
    server: Server, client: Client, code: int, message: str
) -> None:
    server.replies = [refused(code, message)]
    with pytest.raises(ApiError, match=message):
        client.request("PATCH", "/a", {})
    assert len(server.seen) == 1


def test_retry_after_is_respected(server: Server, client: Client) -> None:
    server.replies = [refused(429, "slow down", headers={"Retry-After": "1"}), (200, {})]
    begun = time.monotonic()
    client.request("GET", "/a")
    assert time.monotonic() - begun >= 1


def test_a_closed_connection_is_reopened(server: Server, client: Client) -> None:
    server.replies = [(200, {"headers": {"Connection": "close"}})]
    client.request("GET", "/a")
    client.request("GET", "/b")
    assert [path for _, path, _ in server.seen] == ["/a", "/b"]


def test_a_cancel_ends_the_retries(server: Server) -> None:
    cancelled = threading.Event()
    client = Client(kubeconfig.load(config(server.url)), cancelled)
    server.replies = [refused(503, "not now") for _ in range(100)]
    threading.Timer(0.3, cancelled.set).start()
    begun = time.monotonic()
    with pytest.raises(ApiError):
        client.request("GET", "/a")
    assert time.monotonic() - begun < 2
    client.close()


def silent() -> str:
    server = Server()
    url = server.url
    server.close()
    return url


def test_an_unreachable_cluster_fails_after_retries_and_then_immediately() -> None:
    client = Client(kubeconfig.load(config(silent())), threading.Event())
    with pytest.raises(Unreachable, match=r"does not answer \(connection refused\); see that it"):
        client.request("GET", "/a")
    begun = time.monotonic()
    with pytest.raises(Unreachable):
        client.request("GET", "/a")
    assert time.monotonic() - begun < 0.5


# A cluster that is not known, or not there.


def test_a_preview_without_a_cluster_returns_the_inputs() -> None:
    engine = Engine(UNKNOWN)
    shown = engine.preview(CONFIG_MAP, "a", {"data": {"a": "b"}})
    assert shown["data"] == {"a": "b"}
    assert shown["metadata"]["namespace"] == "default"
    engine.preview(CONFIG_MAP, "b", {})
    assert engine.said == ["its cluster is not made yet: the API server checks nothing now"]


def test_inputs_keep_their_namespace_without_a_cluster() -> None:
    engine = Engine(config(silent()))
    assert engine.checked(CONFIG_MAP, "a", {})["metadata"]["namespace"] == "default"
    role = token_of("rbac.authorization.k8s.io/v1", "ClusterRole")
    assert "namespace" not in engine.checked(role, "a", {})["metadata"]


def test_a_refresh_without_the_cluster_fails_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = silent()
    engine = Engine(config(url))
    with pytest.raises(PluginError, match="does not answer"):
        engine.imported(CONFIG_MAP, "a", "default/a")
    forgetful = Engine(config(url), deleteUnreachable="true")
    assert forgetful.imported(CONFIG_MAP, "a", "default/a") is None


def test_unsupported_provider_settings_are_refused(tmp_path: Callable[..., Any]) -> None:
    with pytest.raises(PluginError, match="renderYamlToDirectory"):
        Engine(config(), renderYamlToDirectory=str(tmp_path))
