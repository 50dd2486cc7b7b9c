"""The edge between a program and the engine: configuration in, contracts in, contracts out.

Everything here that can refuse does so before the program registers a resource, with one message
and no traceback. Decisions are elsewhere, in functions that take plain values.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, ParamSpec, TypeVar

import msgspec
import pulumi
import pulumi.runtime
from pulumi.runtime import config as engine_config

from gkeplatform import whole_file
from gkeplatform.config import Settings, load
from gkeplatform.contracts import Contract, SecretText
from gkeplatform.environment import (
    NAMESPACE,
    Environment,
    GoogleConfig,
    SharedConfig,
    environment_of,
    file_of,
)
from gkeplatform.errors import PlatformError
from gkeplatform.layers import Layer
from gkeplatform.protection import is_kept
from gkeplatform.replacement import order_replacements

SettingsT = TypeVar("SettingsT", bound=Settings)
ContractT = TypeVar("ContractT", bound=Contract)
P = ParamSpec("P")
R = TypeVar("R")

SHOWN_ALREADY = 32
"""The exit code by which a Python program tells the engine that it has said why.

`pulumi.RunError` ends a program with a second error, "exited with non-zero exit code", behind it.
"""

READ_OUTPUTS = "pulumi:pulumi:readStackOutputs"
"""The engine's own function behind StackReference.

A StackReference resource cannot do: a stack that is absent fails inside the engine, with its words
and after other resources have begun. Called as a function it answers, or fails, here.
"""


def environment() -> Environment:
    """The environment that this stack belongs to; what it protects is protected from now on."""
    name = environment_of(pulumi.get_stack())
    check(
        whole_file.check,
        _values(),
        file=file_of(name),
        secret=engine_config._SECRET_KEYS.get() or (),
    )
    shared = config(SharedConfig, namespace=NAMESPACE)
    place = config(GoogleConfig, namespace="gcp")
    order_replacements()
    if shared.protect:
        _protect(shared.released)
    return check(_environment, name, shared, place)


def _protect(released: Sequence[str]) -> None:
    """Protects what the program declares from now on, but for what is released by name."""

    def protected(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        if not is_kept(args.type_, args.name, released):
            return None
        options = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(protect=True))
        return pulumi.ResourceTransformationResult(args.props, options)

    pulumi.runtime.register_stack_transformation(protected)


def _environment(name: str, shared: SharedConfig, place: GoogleConfig) -> Environment:
    try:
        return msgspec.convert(
            {
                "name": name,
                "project": place.project,
                "region": place.region,
                "system": shared.system,
                "labels": shared.labels,
                "pin_images": shared.pin_images,
            },
            Environment,
        )
    except msgspec.ValidationError:
        raise PlatformError(
            f'stack "{name}": an environment is named with 2 to 10 lower-case letters, digits and '
            "hyphens, as dev, stage and prod are"
        ) from None


def config(model: type[SettingsT], *, namespace: str | None = None) -> SettingsT:
    """The project's keys of the stack file as `model`; refuses what the model does not know."""
    return check(
        load,
        model,
        namespace=namespace or pulumi.get_project(),
        values=_values(),
        file=file_of(environment_of(pulumi.get_stack())),
        secret=engine_config._SECRET_KEYS.get(),
    )


def _values() -> dict[str, str]:
    return {**engine_config.get_config_env(), **engine_config.CONFIG.get()}


def is_secret(key: str) -> bool:
    """Whether the stack file holds `key` of this project encrypted."""
    return f"{pulumi.get_project()}:{key}" in (engine_config._SECRET_KEYS.get() or ())


def upstream(contract: type[ContractT]) -> ContractT:
    """What the layer that publishes `contract` has published in this environment."""
    layer = contract.layer
    stack = f"{pulumi.get_organization()}/{layer.project}/{pulumi.get_stack()}"
    try:
        answer = pulumi.runtime.invoke(READ_OUTPUTS, {"name": stack}).value
    except Exception as error:
        if "unknown stack" in str(error):
            refuse(
                f"layer {layer.name} is not deployed in {pulumi.get_stack()}: there is no stack "
                f"{stack}\nhint: {_deploy(layer)}"
            )
        refuse(
            f"what layer {layer.name} has published cannot be read from stack {stack}: "
            f"{_last_words(error)}"
        )
    return check(read, contract, answer["outputs"], environment=pulumi.get_stack())


def read(contract: type[ContractT], outputs: dict[str, Any], *, environment: str) -> ContractT:
    """`outputs` of a deployed stack as a `contract`; the message names layer, field and remedy."""
    layer = contract.layer
    if not outputs:
        raise PlatformError(
            f"layer {layer.name} is not deployed in {environment}: its stack has no outputs"
            f"\nhint: {_deploy(layer, environment)}"
        )
    try:
        return msgspec.convert(_plain(outputs), contract, dec_hook=_decode, strict=True)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$.")
        field = f" {path.removesuffix('`')}:" if path else ""
        raise PlatformError(
            f"contract of layer {layer.name} in {environment}:{field} "
            f"{_contract_problem(problem)}\n"
            f"hint: the layer was deployed by another version of its program; "
            f"{_deploy(layer, environment)}"
        ) from None


def publish(contract: type[Contract], **outputs: object) -> None:
    """Publishes `outputs` as the fields of `contract`: all of them, and no others."""
    fields = set(contract.__struct_fields__)
    if wrong := fields.symmetric_difference(outputs):
        raise TypeError(f"{contract.__name__} and what is published differ in {sorted(wrong)}")
    for name, value in outputs.items():
        secret = contract.__annotations__[name] is SecretText
        pulumi.export(name, pulumi.Output.secret(value) if secret else _exported(value))


def check(rule: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """The result of `rule`; where it refuses, the program ends with its message."""
    try:
        return rule(*args, **kwargs)
    except PlatformError as error:
        refuse(str(error))


class Refused(SystemExit):
    """The program ends because of `message`, which the user has been shown."""

    def __init__(self, message: str) -> None:
        super().__init__(SHOWN_ALREADY)
        self.message = message


def refuse(message: str) -> NoReturn:
    """Ends the program with one message and no traceback."""
    pulumi.log.error(message)
    raise Refused(message)


def _deploy(layer: Layer, environment: str | None = None) -> str:
    name = environment or pulumi.get_stack()
    place = "the repository's root" if layer.directory == "." else layer.directory
    return f"run `pulumi up -s {name}` in {place}, or `platformctl up {name}`"


def _last_words(error: Exception) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__


def _contract_problem(problem: str) -> str:
    return problem.replace("Object missing required field", "the output lacks the field")


def _decode(kind: type, value: object) -> object:
    if kind is SecretText and isinstance(value, str):
        return SecretText(value)
    raise ValueError(f"expected text, got {type(value).__name__}")


def _plain(value: Any) -> Any:
    """Whole numbers as integers: the engine's wire knows no other number than a float."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _exported(value: object) -> object:
    """Parts of contracts as plain mappings, which is what an output can hold."""
    if isinstance(value, pulumi.Output):
        return value.apply(_exported)
    if isinstance(value, msgspec.Struct):
        return msgspec.json.decode(msgspec.json.encode(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_exported(item) for item in value]
    return value
