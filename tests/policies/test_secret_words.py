"""Names and values that were once misjudged as secrets, or missed."""

import pytest

from policies.rules.credentials import _arguments, _content_kind, secret_kind


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ADMIN_PASSWORD", "hunter2"),  # "min" is in "admin"
        ("ADMIN_PWD", "x1"),
        ("DBPASS", "hunter2"),
        ("PASSWORD_PROD", "hunter2"),
        ("STORAGE_ACCOUNT_KEY", "aGVsbG8="),
        ("QUEUE", "redis://:hunter2@cache:6379"),
        ("ConnectionStrings__Default", "Server=db;User=sa;Password=hunter2"),
        ("AUTHORIZATION", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"),
        ("DB_PASSWORD", "pa$sword"),
        ("DB_PASSWORD", "12345"),
    ],
)
def test_a_secret_is_found(name: str, value: str) -> None:
    assert secret_kind(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GOOGLE_APPLICATION_CREDENTIALS", "/var/run/account.json"),
        ("TLS_PRIVATE_KEY", "/certs/tls.key"),
        ("TOKEN", "./token.txt"),
        ("PWD", "/app"),
        ("EXISTING_SECRET", "release-db"),
        ("CREDENTIALS_SECRET", "release-gcp"),
        ("imagePullSecrets", "[]"),
        ("SECRETS_BACKEND", "vault"),
        ("TOKEN_AUDIENCE", "sts.example"),
        ("TOKEN_ISSUER", "https://accounts.example"),
        ("PASSWORD_HASH_ALGORITHM", "bcrypt"),
        ("CSRF_TOKEN_COOKIE", "csrf"),
        ("SECRET_MANAGER_PROJECT", "acme"),
        ("TOKEN_ENDPOINT", "oauth2"),
        ("SECRET_STORE_KIND", "ClusterSecretStore"),
        ("TOKEN_AUDIENCES", "sts.example"),
        ("CREDENTIAL_HELPER", "gcloud"),
        ("TOKEN_SIGNING_ALG", "RS256"),
        ("PASSWORD_AUTHENTICATION", "sometimes"),
        ("TOKEN_BUCKET_RATE", "12/s"),
        ("PASSWORD_ROTATION_INTERVAL", "90"),
        ("ACCESS_TOKEN_LIFETIME", "1h30m"),
        ("PASS_THROUGH", "all"),
        ("OPENAI_API_KEY", "EMPTY"),
        ("HF_TOKEN", "<your token>"),
        ("STOP_TOKEN", "###"),
        ("ENCRYPTION_KEY", "projects/p/locations/l/keyRings/r/cryptoKeys/k"),
        ("DB_PASSWORD", "vault:secret/data/db#password"),
        ("DB_PASSWORD", "op://vault/db/password"),
        ("initial-cluster-token", "etcd-1"),
    ],
)
def test_a_reference_or_an_attribute_is_no_secret(name: str, value: str) -> None:
    assert secret_kind(name, value) == ""


@pytest.mark.parametrize(
    ("arguments", "is_wrong"),
    [
        (["--requirepass", "hunter2"], True),
        (["password=hunter2"], True),
        (["env", "API_KEY=abc", "serve"], True),
        (["sh", "-c", "cd /srv && export API_KEY=abc; serve"], True),
        (["sh", "-c", "test -n '$T' && echo token=ok"], False),
        (["sh", "-c", "PGPASSWORD=$(cat /run/password) psql"], False),
        (["sh", "-c", "MASTER_USER='root',\nMASTER_PASSWORD='',"], False),  # SQL
    ],
)
def test_arguments(arguments: list[str], is_wrong: bool) -> None:
    found = [secret_kind(*one) for one in _arguments({"command": arguments})]
    assert any(found) is is_wrong


@pytest.mark.parametrize(
    ("name", "content", "is_wrong"),
    [
        ("redis.conf", "port 6379\nrequirepass hunter2", True),
        ("settings.xml", "<db><password>hunter2</password></db>", True),
        ("settings.ini", "; password = example", False),
        ("password_rotation_user_retention", "180", False),
        ("values.yaml", "imagePullSecrets: []", False),
    ],
)
def test_entries_of_config_maps(name: str, content: str, is_wrong: bool) -> None:
    assert bool(_content_kind(name, content)) is is_wrong
