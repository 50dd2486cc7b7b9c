"""Rules about passwords, keys and tokens in pod specs and ConfigMaps."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from policies.plain_values import is_plain
from policies.pods import PODS, Pod, describe, pod
from policies.rule import advisory, cis, kubernetes_docs, mandatory
from policies.secret_names import is_secret, words
from policies.subjects import kubernetes
from policies.values import Props, Secret, block, entries, text, texts

CONFIG_MAPS = kubernetes("core", "ConfigMap")
_DOCS = kubernetes_docs("Secrets", "concepts/configuration/secret/")
_GOOD_PRACTICE = kubernetes_docs(
    "Good practices for Secrets", "concepts/security/secrets-good-practices/"
)

_VALUES = (
    ("a private key", re.compile(r"---BEGIN [A-Z ]*PRIVATE KEY")),
    ("an access key", re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("an API key", re.compile(r"\bAIza[0-9A-Za-z_\-]{35}\b")),
    ("a token", re.compile(r"\b(ghp|gho|ghs|hf|xox[abp])[_\-][0-9A-Za-z\-]{20,}")),
    (
        "a password in a URL",
        re.compile(
            r"(?<![a-z0-9+])[a-z][a-z0-9+]{0,30}://[^/\s:@$]{0,256}:[^/\s:@${}]{1,256}@",
            re.IGNORECASE,
        ),
    ),
    (
        "a password in a connection string",
        re.compile(
            r"=[^;=\n]{0,256};\s{0,8}(password|pwd|accountkey|sharedaccesskey)\s{0,8}=\s{0,8}[^;\s${}]",
            re.IGNORECASE,
        ),
    ),
    ("a signed token", re.compile(r"(?<![\w\-])eyJ[\w\-]{8,}\.eyJ[\w\-]{4,}\.[\w\-]{8,}")),
)
_FLAG = re.compile(r"^--?([A-Za-z][\w.\-]*)=(.+)$", re.DOTALL)
_FLAG_IN_SCRIPT = re.compile(
    r"(?:^|\s)--?([A-Za-z][\w.\-]*)[= ][\"']?([^\s\"'$;|&<>()\-][^\s\"'$;|&<>()]*)"
)
_ASSIGNMENT = re.compile(r"^([A-Za-z_][\w.\-]*)=(.+)$", re.DOTALL)
_COMMANDS = re.compile(r"[;\n&|]+")
_BEFORE_ASSIGNMENTS = {"export", "env", "local", "declare", "readonly", "then", "do", "else"}
_PROPERTY = re.compile(r"^[ \t]*([\w.\-]+)[ \t]*[=:](.+)$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^[ \t]*(requirepass|masterauth|primaryauth)[ \t]+(\S.*)$", re.MULTILINE)
_ELEMENT = re.compile(r"<([\w.\-]{1,64})>([^<>]{1,256})</")
_OPTIONS = re.compile(r"(OPTS|OPTIONS|ARGS|FLAGS)$")
_SHELLS = {"sh", "bash", "dash", "ash"}
_FORMATS = re.compile(r"\.(properties|env|ini|conf|cfg|toml|xml|ya?ml|json)$")


def secret_kind(name: str, value: str) -> str:
    """Return what kind of secret a named value looks like; empty if none."""
    for kind, expression in _VALUES:
        if expression.search(value):
            return kind
    if isinstance(value, Secret):
        return "a secret"
    if value and is_secret(name) and not is_plain("_".join(words(name)), value):
        return "a secret by its name"
    return ""


def _assignments(script: str) -> Iterator[tuple[str, str]]:
    """Yield the variables that the commands of a shell script begin with."""
    for command in _COMMANDS.split(script):
        for word in command.split():
            if match := _ASSIGNMENT.match(word):
                yield match[1], match[2].strip("\"',")
            elif word not in _BEFORE_ASSIGNMENTS:
                break


def _arguments(container: Props) -> Iterator[tuple[str, str]]:
    given = [*texts(container, "command"), *texts(container, "args")]
    is_script = bool(given) and given[0].rpartition("/")[2] in _SHELLS
    script = next((i for i, one in enumerate(given) if i and not one.startswith("-")), 0)
    for position, argument in enumerate(given):
        if match := _FLAG.match(argument):
            yield match[1], match[2]
        elif is_script and position == script:
            yield "", argument
            yield from _FLAG_IN_SCRIPT.findall(argument)
            yield from _assignments(argument)
        elif match := _ASSIGNMENT.match(argument):
            yield match[1], match[2]
        elif argument.startswith("-") and position + 1 < len(given):
            following = given[position + 1]
            yield argument.lstrip("-"), "" if following.startswith("-") else following
        else:
            yield "", argument


@mandatory(
    PODS,
    layer="serving",
    severity="critical",
    why="Anyone who can read the object, the Pulumi state or the audit log can read the secret; "
    "arguments are also visible to other processes on the node.",
    fix="keep it in a Secret or in Secret Manager and refer to it: "
    "gke-serving:models[].environment takes {secret: NAME, key: KEY} and "
    "{secret_manager: NAME, version: N}",
    references=(_DOCS, cis("4.4.1")),
    passing=pod(container={"env": [{"name": "API_TOKEN_FILE", "value": "/var/run/token"}]}),
    failing=pod(container={"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}),
)
def secrets_stay_out_of_pod_specs(pod: Pod) -> Iterator[str]:
    """Containers have no passwords, keys or tokens in environment values or arguments."""
    for container in pod.containers():
        for variable in entries(container, "env"):
            name = text(variable, "name")
            # Other types come from invalid manifests; a secret is a string.
            value = variable.get("value")
            if not isinstance(value, str):
                continue
            options = _FLAG_IN_SCRIPT.findall(value) if _OPTIONS.search(name) else []
            kinds = (secret_kind(*one) for one in ((name, value), *options))
            if found := next(filter(None, kinds), ""):
                yield f"{describe(container)}: the value of env {name} looks like {found}"
        for name, value in _arguments(container):
            if found := secret_kind(name, value):
                shown = f"the argument {name}" if name else "an argument"
                yield f"{describe(container)}: {shown} looks like {found}"


@advisory(
    PODS,
    layer="serving",
    severity="low",
    why="Environment variables are inherited by child processes, appear in crash reports and "
    "do not change until the pod restarts; a mounted file follows the Secret.",
    fix="mount the Secret as a volume, if the program can read a file",
    references=(cis("4.4.1"), _GOOD_PRACTICE),
    passing=pod(
        container={"volumeMounts": [{"name": "token", "mountPath": "/var/run/token"}]},
        volumes=[{"name": "token", "secret": {"secretName": "token"}}],
    ),
    failing=pod(
        container={
            "env": [
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "value"}}}
            ]
        }
    ),
)
def secrets_are_mounted_as_files(pod: Pod) -> Iterator[str]:
    """Containers read secrets from files, not from environment variables."""
    for container in pod.containers():
        for variable in entries(container, "env"):
            if block(variable, "valueFrom", "secretKeyRef"):
                yield f"{describe(container)} takes env {text(variable, 'name')} from a Secret"
        for source in entries(container, "envFrom"):
            if block(source, "secretRef"):
                yield f"{describe(container)} takes its environment from a Secret"


@mandatory(
    CONFIG_MAPS,
    layer="serving",
    severity="high",
    why="ConfigMaps are not encrypted with a customer-managed key, and more accounts can read them "
    "than Secrets.",
    fix="move it into a Secret",
    references=(_DOCS,),
    passing={"metadata": {"name": "settings"}, "data": {"LOG_LEVEL": "info"}},
    failing={"metadata": {"name": "settings"}, "data": {"db.password": "hunter2"}},
)
def config_maps_hold_no_secrets(config_map: Props) -> Iterator[str]:
    """ConfigMaps hold no passwords, keys or tokens."""
    for key, value in block(config_map, "data").items():
        name = str(key)  # YAML has keys of other types, such as numbers
        if not isinstance(value, str):
            continue
        if found := _content_kind(name, value):
            yield f"data.{name} looks like {found}"


def _content_kind(name: str, value: str) -> str:
    """Return what kind of secret an entry of a ConfigMap holds, itself or in its lines."""
    is_file = (
        bool(_FORMATS.search(name)) or "\n" in value or value.lstrip().startswith(("{", "[", "<"))
    )
    if not is_file:
        return secret_kind(name, value)
    # A file is no secret by its own name; its properties may be.
    if found := secret_kind("", value):
        return found
    for prop, given in _properties(value):
        if found := secret_kind(prop, given):
            return f"{found} ({prop})"
    return ""


def _properties(content: str) -> Iterator[tuple[str, str]]:
    """Yield the names and plain values of JSON, or of lines such as `name=value`."""
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        for name, value in _PROPERTY.findall(content):
            yield name, value.strip().rstrip(",").strip("\"'")
        yield from _DIRECTIVE.findall(content)
        yield from _ELEMENT.findall(content)
        return
    waiting: list[Any] = [parsed]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += one.values()
            yield from ((key, value) for key, value in one.items() if isinstance(value, str))


@mandatory(
    PODS,
    layer="serving",
    severity="medium",
    why="If a variable is set twice, the last value silently wins.",
    fix="remove one of the entries",
    references=(
        kubernetes_docs(
            "Environment variables",
            "tasks/inject-data-application/define-environment-variable-container/",
        ),
    ),
    passing=pod(container={"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}),
    failing=pod(container={"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}),
)
def environment_variables_are_unique(pod: Pod) -> Iterator[str]:
    """A container sets each environment variable once."""
    for container in pod.containers():
        counts = Counter(text(variable, "name") for variable in entries(container, "env"))
        for name in sorted(name for name, count in counts.items() if count > 1):
            yield f"{describe(container)} sets env {name} more than once"
