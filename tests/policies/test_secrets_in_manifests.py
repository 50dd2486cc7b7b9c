"""What counts as a secret in pod specs and ConfigMaps, and what only looks like one."""

import time
from typing import Any

import pytest

from policies.pack import Pack, Verdict
from policies.pods import pod
from policies.registry import RULES
from policies.subjects import Resource

WANTED = {"secrets-stay-out-of-pod-specs", "config-maps-hold-no-secrets"}
PACK = Pack([rule for rule in RULES if rule.id in WANTED])


def found(resource: Resource) -> list[Verdict]:
    return [one.verdict for one in PACK.judge(resource)]


def env(name: str, value: str) -> Resource:
    container = {"env": [{"name": name, "value": value}]}
    return Resource("kubernetes:core/v1:Pod", pod(container=container))


def config_map(data: Any) -> Resource:
    return Resource("kubernetes:core/v1:ConfigMap", {"metadata": {"name": "a"}, "data": data})


@pytest.mark.parametrize(
    "name",
    ["PGPASSWORD", "REDIS_PASS", "ENCRYPTION_KEY", "DB_PASSPHRASE", "MYSQL_PWD", "dbPassword"],
)
def test_a_name_tells_a_secret(name: str) -> None:
    assert found(env(name, "hunter2")) == [Verdict.VIOLATION]


@pytest.mark.parametrize(
    "name", ["BYPASS", "COMPASS", "PASSIVE_MODE", "DB_PASSWORD_FILE", "LOG_LEVEL"]
)
def test_other_names_do_not(name: str) -> None:
    assert found(env(name, "hunter2")) == []


@pytest.mark.parametrize(
    ("command", "is_secret"),
    [
        (["sh", "-c", "serve --api-key=abc"], True),
        (["/bin/bash", "-ec", "exec serve --api-key abc --port 80"], True),
        (["sh", "-c", "DB_PASSWORD=hunter2 serve"], True),
        (["sh", "-c", "serve --api-key=$API_KEY"], False),
        (["sh", "-c", 'serve --api-key="$(cat /run/key)"'], False),
        (["sh", "-c", "serve --api-key-file=/run/key"], False),
        (["serve", "--api-key=abc"], True),
    ],
)
def test_scripts_are_read(command: list[str], is_secret: bool) -> None:
    resource = Resource("kubernetes:core/v1:Pod", pod(container={"command": command}))
    assert bool(found(resource)) is is_secret


@pytest.mark.parametrize(
    ("data", "is_secret"),
    [
        ({"app.properties": "db.user=a\ndb.password=hunter2\n"}, True),
        ({"app.properties": "db.password=${DB_PASSWORD}\n"}, False),
        ({"settings.json": '{"db": {"password": "hunter2"}}'}, True),
        ({"credentials": '{"secretName": "db"}'}, False),
        ({"credentials": "hunter2"}, True),
        ({503: "sorry"}, False),
        ({"token": 5}, False),
    ],
)
def test_config_maps_are_read_with_their_files(data: Any, is_secret: bool) -> None:
    assert found(config_map(data)) == [Verdict.VIOLATION] * is_secret


def test_a_long_value_is_read_in_linear_time() -> None:
    for value in ("a" * 200_000, "a.b-" * 50_000, "--a " * 50_000, "a://" * 50_000):
        started = time.process_time()
        found(env("SETTINGS", value))
        found(config_map({"file.env": value}))
        command = ["sh", "-c", value]
        found(Resource("kubernetes:core/v1:Pod", pod(container={"command": command})))
        assert time.process_time() - started < 2
