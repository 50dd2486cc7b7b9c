"""How `rehearse` says that a model is called."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from cli import calls
from sandbox.front_ends import Frontend, Requests


def frontend(kind: str, address: str, port: int, listens: int, *hosts: str) -> Frontend:
    return Frontend(
        project="p", kind=kind, name=kind, address=address, port=port,  # type: ignore[arg-type]
        scheme="https" if port == 443 else "http", hosts=hosts, listens=listens,
    )  # fmt: skip


FRONTENDS = [
    frontend("node-port", "10.0.0.2", 80, 20000),
    frontend("load-balancer", "127.16.0.3", 443, 20001, "models.example", "*"),
    frontend("load-balancer", "127.16.0.3", 80, 20002, "models.example", "*"),
    frontend("load-balancer", "127.16.0.4", 443, 20003, "*.gateway.example"),
    frontend("ingress", "127.16.0.1", 80, 20004, "*"),
]


def port_of(url: str) -> int | None:
    found = calls.frontend_of(url, FRONTENDS)
    return found.listens if found else None


def test_a_url_is_answered_by_its_address_or_its_host() -> None:
    assert port_of("https://models.example/v1") == 20001
    assert port_of("http://127.16.0.1/model/v1") == 20004
    assert port_of("http://127.16.0.3/v1") == 20002
    assert port_of("https://a.gateway.example/v1") == 20003
    assert port_of("https://unresolved.example/v1") == 20001
    assert port_of("https://127.16.0.9/v1") is None
    other = frontend("load-balancer", "127.16.0.5", 443, 20005, "*")
    assert calls.frontend_of("https://unresolved.example/v1", [*FRONTENDS, other]) is None
    assert port_of("http://model.models.svc:8501/v1") is None
    assert port_of("http://10.0.0.2/v1") is None


def test_each_kind_of_front_end_has_one_command() -> None:
    requests = Requests(
        is_available=True, cacert=Path("/home/a b/ca.pem"), frontends=FRONTENDS, unsupported=[],
        problem=None,
    )  # fmt: skip
    models: list[dict[str, Any]] = [
        {"name": "a", "url": "https://models.example/v1/models/a"},
        {"name": "b", "url": "https://models.example/v1/models/b"},
        {"name": "c", "url": "http://127.16.0.1/model"},
        {"name": "d", "url": "grpc://127.16.0.9:8500"},
        {"name": "e", "url": None},
    ]
    first, second = calls.commands(models, requests)
    assert shlex.split(first) == [
        "curl", "--cacert", "/home/a b/ca.pem", "--connect-to", "::127.0.0.1:20001",
        "https://models.example/v1/models/a",
    ]  # fmt: skip
    assert shlex.split(second) == [
        "curl", "--connect-to", "::127.0.0.1:20004", "http://127.16.0.1/model"
    ]  # fmt: skip
    assert first in calls.text(models, requests)


def test_a_platform_without_envoy_says_so_in_one_line() -> None:
    requests = Requests(
        is_available=False, cacert=Path("ca.pem"), frontends=[], unsupported=[], problem=None
    )
    assert calls.text([], requests).strip().splitlines() == [
        "requests       none: Envoy has no binary for this platform"
    ]
