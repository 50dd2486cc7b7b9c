"""What processes in the place of pods reach, and how the API server reaches them."""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from sandbox.kubernetes.controllers import pod_mounts
from sandbox.kubernetes.controllers.google_access import GoogleAccess
from sandbox.kubernetes.controllers.service_proxy import ServiceProxy

SERVICE: dict[str, Any] = {
    "metadata": {"namespace": "keda", "name": "adapter"},
    "spec": {"clusterIP": "10.0.0.9", "selector": {"a": "b"}, "ports": [{"port": 443}]},
}
POD: dict[str, Any] = {
    "metadata": {"namespace": "keda", "uid": "u1", "labels": {"a": "b", "c": "d"}}
}


def proxy(service: dict[str, Any] = SERVICE, pod: dict[str, Any] = POD) -> ServiceProxy:
    found = ServiceProxy(None, services=lambda: [service], pods=lambda: [pod])
    found.serves(POD, 4711)
    return found


def test_a_service_leads_to_the_process_of_the_pod_that_it_selects() -> None:
    assert proxy().backend("10.0.0.9:443") == 4711


def test_a_webhook_s_service_is_found_by_its_name() -> None:
    assert proxy().backend("adapter.keda.svc:443") == 4711
    assert proxy().backend("adapter.other.svc:443") is None


@pytest.mark.parametrize("address", ["10.0.0.9:80", "10.0.0.8:443", "nonsense"])
def test_another_address_leads_nowhere(address: str) -> None:
    assert proxy().backend(address) is None


def test_a_service_without_a_matching_pod_leads_nowhere() -> None:
    elsewhere = {"metadata": POD["metadata"] | {"namespace": "other"}}
    assert proxy(pod=elsewhere).backend("10.0.0.9:443") is None
    unlike = {"metadata": POD["metadata"] | {"labels": {"a": "x"}}}
    assert proxy(pod=unlike).backend("10.0.0.9:443") is None
    without = {"clusterIP": "10.0.0.9", "ports": [{"port": 443}]}
    assert proxy({"metadata": SERVICE["metadata"], "spec": without}).backend("10.0.0.9:443") is None


async def _emulator(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(
        (int(line.split(":")[1]) for line in head.splitlines() if "content-length" in line.lower()),
        0,
    )
    asked = (await reader.readexactly(length)).decode()
    first = head.split("\r\n", 1)[0]
    if "/sandbox/v1/tokens" in first:
        assert json.loads(asked)["serviceAccount"] == "keda@p.iam.gserviceaccount.com"
        body = b'{"access_token": "secret"}'
    else:
        body = json.dumps({"first": first, "head": head.lower()}).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
    writer.write(body)
    await writer.drain()
    writer.close()


def test_a_pod_gets_a_token_and_reaches_google_by_name(tmp_path: Path) -> None:
    async def run() -> tuple[Any, Any]:
        emulator = await asyncio.start_server(_emulator, "127.0.0.1", 0)
        api = f"http://127.0.0.1:{emulator.sockets[0].getsockname()[1]}"
        access = GoogleAccess(
            lambda: api,
            project="p",
            folder=tmp_path / "authorities",
            account=lambda: "keda/keda-operator|keda@p.iam.gserviceaccount.com",
        )
        port = await access.start()

        def ask() -> tuple[Any, Any]:
            path = "computeMetadata/v1/instance/service-accounts/default/token?scopes=x"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=60) as answer:
                assert answer.headers["Metadata-Flavor"] == "Google"
                token = json.load(answer)
            trust = ssl.create_default_context(cafile=str(tmp_path / "authorities" / "ca.crt"))
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({"https": f"http://127.0.0.1:{port}"}),
                urllib.request.HTTPSHandler(context=trust),
            )
            request = urllib.request.Request(
                "https://monitoring.googleapis.com/v1/x?query=a",
                headers={"Authorization": "Bearer secret"},
            )
            with opener.open(request, timeout=60) as answer:
                return token, json.load(answer)

        try:
            return await asyncio.to_thread(ask)
        finally:
            await access.stop()
            emulator.close()

    token, answer = asyncio.run(run())
    assert (token["access_token"], token["token_type"]) == ("secret", "Bearer")
    assert answer["first"] == "GET /v1/x?query=a HTTP/1.1"
    assert "host: monitoring.googleapis.com" in answer["head"]
    assert "authorization: bearer secret" in answer["head"]


def test_a_secret_is_a_folder_of_files(tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    pod_mounts.write_files(folder, pod_mounts.SECRETS, None)
    assert list(folder.iterdir()) == []
    pod_mounts.write_files(
        folder, pod_mounts.SECRETS, {"data": {"tls.crt": "YQ==", "ca.crt": "Yg=="}}
    )
    assert (folder / "tls.crt").read_text() == "a"
    pod_mounts.write_files(folder, pod_mounts.SECRETS, {"data": {"ca.crt": "Yw=="}})
    assert {file.name: file.read_text() for file in folder.iterdir()} == {"ca.crt": "c"}
