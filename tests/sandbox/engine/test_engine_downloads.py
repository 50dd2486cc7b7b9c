"""Releases are downloaded, checked and kept; whatever is wrong with one, the tool is built."""

import dataclasses
import errno
import ipaddress
import os
import ssl
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.engine import (
    EngineError,
    build,
    downloads,
    module_zips,
    reachability,
    releases,
    tools,
    transfer,
)
from sandbox.engine.releases import File, Image, Release
from tests.sandbox.engine.release_server import (
    PROGRAM,
    Answer,
    ReleaseServer,
    digest,
    module_zip,
    serving,
    tar,
)

# It builds without a compiler, for it has nothing to compile.
HELLO = build.ToolSet(name="hello", minutes="no time", tools={})
DATA = build.ToolSet(
    name="data",
    minutes="no time",
    tools={},
    module_folders={"notes": ("example.test/Notes", ("docs",))},
)
PUBLIC = set(reachability._PUBLIC)
Spoil = Callable[[ReleaseServer], None]


@pytest.fixture
def server() -> Iterator[ReleaseServer]:
    with serving() as found:
        yield found


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, the pins of the tests' tool sets, and no proxy."""
    for name in (*reachability._PROXIES, tools.VARIABLE):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "_MODULES", tmp_path / "modules")
    monkeypatch.setattr(reachability, "_reached", set())
    monkeypatch.setattr(reachability, "_PUBLIC", ())
    monkeypatch.setattr(reachability, "_SECONDS", 2.0)
    monkeypatch.setattr(transfer, "_PAUSE_SECONDS", 0.0)
    folder = tmp_path / "modules" / "hello"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module example.test/hello\n\ngo 1.26.0\n")
    (folder / "go.sum").write_text("")


def offer(monkeypatch: pytest.MonkeyPatch, **sources: File | Image) -> Release:
    release = Release(tools=sources)
    monkeypatch.setattr(releases, "find", lambda _: release)
    return release


def program(server: ReleaseServer) -> File:
    server.answers["/hello"] = Answer(PROGRAM)
    server.answers["/hello.sha256"] = Answer(digest(PROGRAM).encode())
    return File(url=f"{server.url}/hello", checksums=f"{server.url}/hello.sha256")


def archive(server: ReleaseServer, content: bytes | None = None) -> File:
    body = (
        tar({"hello-v1/README": b"", "./hello-v1/hello": PROGRAM}) if content is None else content
    )
    server.answers["/hello.tar.gz"] = Answer(body)
    sums = f"{'0' * 64}  other.tar.gz\n{digest(body)} *hello.tar.gz\n"
    server.answers["/SHA256SUMS"] = Answer(sums.encode())
    return File(
        url=f"{server.url}/hello.tar.gz",
        checksums=f"{server.url}/SHA256SUMS",
        member="hello-v1/hello",
    )


def image(server: ReleaseServer, *layers: bytes, architecture: str = "amd64") -> Image:
    system = tar({"etc/passwd": b""})
    # Programs are rarely in the last layer: an image's users are added after them.
    given = layers or (system, tar({"hello": PROGRAM}), tar({"etc/group": b""}))
    return Image(server.image("x/hello", *given, architecture=architecture), "v1", "hello", "amd64")


def runs(entry: Path) -> bool:
    done = subprocess.run([entry / "bin" / "hello"], capture_output=True, text=True, check=True)
    return done.stdout == "released\n"


def cached(tmp_path: Path) -> list[str]:
    """The entries, and what should not be left beside them."""
    folder = tmp_path / "cache" / "gke-platform"
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


@pytest.mark.parametrize("published", [program, archive, image])
def test_a_release_is_downloaded_once(
    server: ReleaseServer,
    monkeypatch: pytest.MonkeyPatch,
    published: Callable[[ReleaseServer], File | Image],
) -> None:
    offer(monkeypatch, hello=published(server))
    said: list[str] = []
    entry = tools.ensure(HELLO, said.append)
    assert runs(entry)
    assert sorted(path.name for path in (entry / "bin").iterdir()) == ["hello"]
    assert any("downloading hello from 127.0.0.1" in line for line in said)
    asked = len(server.asked)
    assert tools.ensure(HELLO, said.append) == entry
    assert tools.is_ready(HELLO)
    assert len(server.asked) == asked


def test_another_pin_is_downloaded_anew(
    server: ReleaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, hello=program(server))
    first = tools.ensure(HELLO, lambda _: None)
    offer(monkeypatch, hello=archive(server))
    assert not tools.is_ready(HELLO)
    assert tools.ensure(HELLO, lambda _: None) != first


def test_a_redirect_is_followed(server: ReleaseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, hello=program(server))
    server.answers["/elsewhere"] = server.answers["/hello"]
    server.answers["/hello"] = Answer(status=302, headers={"Location": "/elsewhere"})
    assert runs(tools.ensure(HELLO, lambda _: None))


def test_a_registrys_token_goes_to_no_other_host(
    server: ReleaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as store:
        offer(monkeypatch, hello=image(server))
        realm = f'Bearer realm="{server.url}/token",service="x",scope="repository:x/hello:pull"'
        refused = Answer(status=401, headers={"WWW-Authenticate": realm})
        server.answers["/token"] = Answer(b'{"token": "secret"}')

        def guarded(answer: Answer) -> Callable[[dict[str, str]], Answer]:
            return lambda headers: (
                answer if headers.get("authorization") == "Bearer secret" else refused
            )

        for path, answer in list(server.answers.items()):
            assert isinstance(answer, Answer)
            if "/manifests/" in path:
                server.answers[path] = guarded(answer)
            elif "/blobs/" in path:
                store.answers[path] = answer
                location = f"http://localhost:{store.port}{path}"
                server.answers[path] = Answer(status=307, headers={"Location": location})
        assert runs(tools.ensure(HELLO, lambda _: None))
        assert store.paths
        assert not any("authorization" in headers for _, headers in store.asked)


def replace(path: str, **changes: Any) -> Spoil:
    def spoil(server: ReleaseServer) -> None:
        found = server.answers[path]
        assert isinstance(found, Answer)
        server.answers[path] = dataclasses.replace(found, **changes)

    return spoil


def _spoiled_layer(server: ReleaseServer) -> None:
    for path in list(server.answers):
        if "/blobs/" in path:
            server.answers[path] = Answer(tar({"hello": EVIL}))


def _spoiled_manifest(server: ReleaseServer) -> None:
    for path in list(server.answers):
        if "/manifests/sha256" in path:
            server.answers[path] = Answer(b'{"layers": []}')


EVIL = b"#!/bin/sh\necho evil\n"
TAR = tar({"hello-v1/hello": PROGRAM * 1000})
MANIFEST = "/v2/x/hello/manifests/v1"
FAULTS: dict[str, tuple[Callable[[ReleaseServer], File | Image], Spoil, str]] = {
    "missing": (program, replace("/hello", status=404), "answers 404"),
    "server error": (program, replace("/hello", status=503), "answers 503"),
    "no checksum": (program, replace("/hello.sha256", status=404), "answers 404"),
    "checksum of another": (
        archive,
        replace("/SHA256SUMS", body=f"{'0' * 64}  other.tar.gz".encode()),
        "has no checksum of hello.tar.gz",
    ),
    "checksum is a page": (
        program,
        replace("/hello.sha256", body=b"<html>login</html>"),
        "has no checksum of hello",
    ),
    "tampered file": (
        program,
        replace("/hello", body=b"#!/bin/sh\necho evil\n"),
        "another checksum",
    ),
    "tampered checksum": (program, replace("/hello.sha256", body=b"f" * 64), "another checksum"),
    "cut short": (program, replace("/hello", cut=10), "ended early"),
    "for ever elsewhere": (
        program,
        replace("/hello", status=302, headers={"Location": "/hello"}),
        "redirects",
    ),
    "leads to nowhere": (
        program,
        replace("/hello", status=302, headers={"Location": "http://127.0.0.1:1/x"}),
        "cannot be reached",
    ),
    "no address": (
        program,
        replace("/hello", status=302, headers={"Location": "ftp://127.0.0.1/x"}),
        "leads elsewhere",
    ),
    "no tar": (lambda server: archive(server, b"<html>"), lambda _: None, "no complete tar"),
    "half a tar": (
        lambda server: archive(server, TAR[: len(TAR) // 2]),
        lambda _: None,
        "no complete tar",
    ),
    "no program": (
        lambda server: archive(server, tar({"../hello-v1/hello": PROGRAM})),
        lambda _: None,
        "has no file hello-v1/hello",
    ),
    "a link": (
        lambda server: archive(server, tar({}, links={"hello-v1/hello": "/bin/sh"})),
        lambda _: None,
        "no regular file",
    ),
    "tampered layer": (image, _spoiled_layer, "127.0.0.1"),
    "tampered manifest": (image, _spoiled_manifest, "another digest than its name"),
    "no manifest": (image, replace(MANIFEST, body=b"<html>"), "is no JSON"),
    "empty manifest": (image, replace(MANIFEST, body=b"{}"), "a manifest without layers"),
    "no digest": (
        image,
        replace(MANIFEST, body=b'{"layers": [{"digest": "md5:1"}]}'),
        "without a sha256 digest",
    ),
    "wants a password": (
        image,
        replace(MANIFEST, status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}),
        "another login than a token",
    ),
    "another machine": (
        lambda server: image(server, architecture="s390x"),
        lambda _: None,
        "has no image for linux/amd64",
    ),
    "no program in the image": (
        lambda server: image(server, tar({"other": PROGRAM})),
        lambda _: None,
        "has no file hello",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_download_is_refused(
    fault: str, server: ReleaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, spoil, reason = FAULTS[fault]
    offer(monkeypatch, hello=publish(server))
    spoil(server)
    monkeypatch.setenv(tools.VARIABLE, tools.DOWNLOAD)
    with pytest.raises(EngineError, match="hello cannot be downloaded") as caught:
        tools.ensure(HELLO, lambda _: None)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert tools.VARIABLE in caught.value.hint
    assert cached(tmp_path) == []


@pytest.mark.parametrize("fault", ["missing", "tampered file", "tampered layer"])
def test_a_faulty_download_is_replaced_by_a_build(
    fault: str, server: ReleaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, spoil, reason = FAULTS[fault]
    offer(monkeypatch, hello=publish(server))
    spoil(server)
    said: list[str] = []
    entry = tools.ensure(HELLO, said.append)
    assert entry == build.entry(HELLO)
    assert cached(tmp_path) == [entry.name]
    (line,) = [line for line in said if "instead" in line]
    assert reason in line
    assert "\n" not in line
    asked = len(server.asked)
    assert tools.ensure(HELLO, said.append) == entry
    assert len(server.asked) == asked


@pytest.mark.parametrize(
    ("patience", "silence", "reason"), [(0.0, 20.0, "too slow"), (30.0, 0.2, "sent nothing")]
)
def test_a_slow_download_is_given_up(
    patience: float,
    silence: float,
    reason: str,
    server: ReleaseServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offer(monkeypatch, hello=program(server))
    replace("/hello", cut=10**9, wait=True)(server)
    monkeypatch.setattr(transfer, "_PATIENCE_SECONDS", patience)
    monkeypatch.setattr(transfer, "_MINIMUM_RATE", 10**12)
    monkeypatch.setattr(transfer, "_SILENT_SECONDS", silence)
    said: list[str] = []
    assert tools.ensure(HELLO, said.append) == build.entry(HELLO)
    assert any(reason in line for line in said)


def test_a_file_that_never_ends_is_given_up(server: ReleaseServer, tmp_path: Path) -> None:
    server.answers["/hello"] = Answer(PROGRAM)
    session = transfer.Session()
    with pytest.raises(transfer.TransferError, match="is larger than"):
        session.file(f"{server.url}/hello", tmp_path / "hello", maximum=len(PROGRAM) - 1)
    session.close()


def test_a_redirect_away_from_tls_is_refused(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.scheme == "https":
            return httpx.Response(302, headers={"Location": "http://example.test/hello"})
        return httpx.Response(200, content=PROGRAM)

    session = transfer.Session()
    session._client = httpx.Client(transport=httpx.MockTransport(answer), follow_redirects=True)
    with pytest.raises(transfer.TransferError, match="without TLS"):
        session.file("https://example.test/hello", tmp_path / "hello")
    session.close()


def certificate(folder: Path) -> Path:
    """A new certificate of this address that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "server.pem"
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file


def test_an_authority_of_the_machine_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    monkeypatch.setenv(tools.VARIABLE, tools.DOWNLOAD)
    with serving(tls=context) as server:
        offer(monkeypatch, hello=program(server))
        with pytest.raises(EngineError, match="a certificate that this machine does not trust"):
            tools.ensure(HELLO, lambda _: None)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert runs(tools.ensure(HELLO, lambda _: None))


def test_a_full_disk_is_no_reason_to_build(
    server: ReleaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, hello=program(server))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(downloads, "_take", full)
    with pytest.raises(EngineError, match="no space left on the disk"):
        tools.ensure(HELLO, lambda _: None)
    assert cached(tmp_path) == []


def test_only_a_build_asks_no_release(
    server: ReleaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, hello=program(server))
    monkeypatch.setenv(tools.VARIABLE, tools.BUILD)
    assert tools.ensure(HELLO, lambda _: None) == build.entry(HELLO)
    assert server.asked == []


def test_only_a_download_uses_no_build(
    server: ReleaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, hello=program(server))
    built = build.ensure(HELLO, lambda _: None)
    assert tools.ensure(HELLO, lambda _: None) == built
    monkeypatch.setenv(tools.VARIABLE, tools.DOWNLOAD)
    assert tools.ensure(HELLO, lambda _: None) != built
    monkeypatch.setattr(releases, "find", lambda _: None)
    with pytest.raises(EngineError, match="no release of hello that the sandbox uses"):
        tools.ensure(HELLO, lambda _: None)


def test_an_unknown_source_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tools.VARIABLE, "downloads")
    with pytest.raises(EngineError, match="PLATFORM_ENGINE_SOURCE='downloads' is unknown"):
        tools.ensure(HELLO, lambda _: None)


def test_an_unreachable_host_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as closed:
        offer(monkeypatch, hello=program(closed))
    said: list[str] = []
    assert tools.ensure(HELLO, said.append) == build.entry(HELLO)
    assert [line for line in said if "instead" in line] == [
        f"hello cannot be downloaded ({closed.url} cannot be reached): building it instead"
    ]
    with serving(closed.port) as server:
        assert reachability.unreachable([f"{server.url}/x"]) == server.url
        assert server.asked == []
        # Another proxy is another network.
        monkeypatch.setenv("NO_PROXY", "example.test")
        assert reachability.unreachable([f"{server.url}/x"]) is None
        monkeypatch.delenv("NO_PROXY")
        assert reachability.unreachable([f"{server.url}/x"], again=True) is None


def test_all_hosts_are_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as first, serving() as second, serving() as closed:
        pass
    with serving(first.port) as first, serving(second.port) as second:
        monkeypatch.setattr(reachability, "_PUBLIC", (first.url, second.url, closed.url))
        assert reachability.unreachable([first.url]) is None
        assert [path for path, _ in second.asked] == ["/"]
        assert reachability.unreachable([second.url, closed.url]) == closed.url
        assert [path for path, _ in (*first.asked, *second.asked)] == ["/", "/"]


def test_every_host_of_a_release_is_asked_with_the_others() -> None:
    sets = (build.KUBERNETES, build.POSTGRES, build.KEDA, build.ACTIONLINT, build.PROMETHEUS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "_MODULES", Path(build.__file__).parent / "modules")
        found = [releases.of(one, "amd64") for one in sets]
    hosts = {reachability._origin(url) for one in found if one for url in one.addresses}
    assert hosts == PUBLIC - {"https://get.pulumi.com"}


def test_a_proxys_password_is_not_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@127.0.0.1:1")
    assert reachability.unreachable(["http://me:secret@example.test/x"]) == "http://example.test"
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert files
    assert not any("secret" in path.read_text() for path in files)


def module(
    server: ReleaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> None:
    """Publish a module that `DATA` pins."""
    content, h1 = module_zip(files)
    server.answers["/example.test/!notes/@v/v1.2.3.zip"] = Answer(content)
    folder = tmp_path / "modules" / "data"
    folder.mkdir()
    required = "require example.test/Notes v1.2.3\n"
    (folder / "go.mod").write_text(f"module example.test/data\n\ngo 1.26.0\n\n{required}")
    (folder / "go.sum").write_text(f"example.test/Notes v1.2.3 {h1}\n")
    monkeypatch.setenv("GOPROXY", f"{server.url},direct")
    monkeypatch.setenv(tools.VARIABLE, tools.DOWNLOAD)
    offer(monkeypatch)


def test_data_of_modules_comes_from_the_proxy_without_a_compiler(
    server: ReleaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = "example.test/Notes@v1.2.3"
    files = {f"{root}/go.mod": b"", f"{root}/docs/a/b": b"text", f"{root}/docs.md": b""}
    module(server, tmp_path, monkeypatch, files)
    monkeypatch.setenv("PATH", "")
    entry = tools.ensure(DATA, lambda _: None)
    found = [path for path in entry.rglob("*") if path.is_file()]
    assert found == [entry / "modules" / "notes" / "docs" / "a" / "b"]
    assert found[0].read_bytes() == b"text"


@pytest.mark.parametrize(
    ("installed", "proxy"),
    [(None, None), ("https://a.test/x/,direct", "https://a.test/x"), ("direct", None)],
)
def test_without_goproxy_an_installed_go_names_the_proxy(
    installed: str | None, proxy: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOPROXY", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if installed is not None:
        command = tmp_path / "go"
        command.write_text(f'#!/bin/sh\n[ "$2" = GOPROXY ] && echo "{installed}"\n')
        command.chmod(0o755)
    assert module_zips.proxy() == proxy


def _broken_zip() -> bytes:
    """A zip whose directory is whole and whose file is not."""
    content = b"text" * 1000
    whole, _ = module_zip({"example.test/Notes@v1.2.3/docs/a": content}, zipfile.ZIP_DEFLATED)
    start = whole.index(zlib.compress(content, wbits=-15)[:4])
    return whole[:start] + bytes(4) + whole[start + 4 :]


@pytest.mark.parametrize(
    ("name", "spoiled", "reason"),
    [
        ("docs/a", b"no zip", "no complete zip"),
        ("docs/a", _broken_zip(), "no complete zip"),
        ("docs/a", module_zip({"example.test/Notes@v1.2.3/docs/a": b"evil"})[0], "has the hash"),
        ("docs/../../../../evil", None, "outside of itself"),
        ("other/a", None, "has no folder docs"),
    ],
    # A zip states its time: ids of its bytes would differ between workers.
    ids=["no zip", "broken", "tampered", "outside", "no folder"],
)
def test_a_faulty_module_is_refused(
    name: str,
    spoiled: bytes | None,
    reason: str,
    server: ReleaseServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module(server, tmp_path, monkeypatch, {f"example.test/Notes@v1.2.3/{name}": b"text"})
    if spoiled is not None:
        server.answers["/example.test/!notes/@v/v1.2.3.zip"] = Answer(spoiled)
    with pytest.raises(EngineError, match=reason):
        tools.ensure(DATA, lambda _: None)
    assert cached(tmp_path) == []
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_every_tool_has_a_release(monkeypatch: pytest.MonkeyPatch, architecture: str) -> None:
    monkeypatch.setattr(build, "_MODULES", Path(build.__file__).parent / "modules")
    sets = (
        build.KUBERNETES,
        build.KEDA,
        build.ACTIONLINT,
        build.GATEWAY_API,
        build.PROMETHEUS,
    )
    for tool_set in sets:
        release = releases.of(tool_set, architecture)
        assert release is not None, tool_set.name
        assert release.tools.keys() == tool_set.tools.keys()
        for source in release.tools.values():
            assert architecture in repr(source)
        assert releases.entry(tool_set, release) != build.entry(tool_set).name
    # Its release listens on all addresses.
    assert releases.of(build.POSTGRES, architecture) is None
