"""The edge between a program and the engine: reads configuration, reads and publishes contracts.

Whatever is refused here is refused before the program registers a resource, with one message and
no traceback. Decisions are made elsewhere, in functions over plain values.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import msgspec
import pulumi
import pulumi.runtime
from pulumi.runtime import config as engine_config

from gkeplatform import debug_messages, namespaces, planned, positions
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
from gkeplatform.protection import is_protected
from gkeplatform.replacement import order_replacements
from gkeplatform.wire import whole_numbers

SettingsT = TypeVar("SettingsT", bound=Settings)
ContractT = TypeVar("ContractT", bound=Contract)
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

ROOT = Path(__file__).parent.parent
SHOWN_ALREADY = 32
"""The exit code that tells the engine that the program has reported its error.

`pulumi.RunError` ends a program with a second error, "exited with non-zero exit code", behind it.
"""

READ_OUTPUTS = "pulumi:pulumi:readStackOutputs"
"""The engine's function behind StackReference.

A StackReference resource of an absent stack fails inside the engine, after other resources have
begun. The function's failure can be handled here.
"""
READS = 5
HALF_WRITTEN = "failed to load checkpoint: EOF"
"""What a file backend answers while the engine writes the attributes beside a stack's state.

A layer reads its own stack while it is deployed. Buckets replace an object whole.
"""


def environment() -> Environment:
    """The environment of this stack. From here on, what it protects is registered protected."""
    debug_messages.hold_back(os.environ)
    check(namespaces.check, values(), file=file())
    shared = config(SharedConfig, namespace=NAMESPACE)
    place = config(GoogleConfig, namespace=namespaces.GOOGLE)
    order_replacements()
    if shared.protect:
        _protect(shared.released)
    return check(_environment, environment_of(pulumi.get_stack()), shared, place)


def _protect(released: Sequence[str]) -> None:
    """Protect what the program declares from now on, except what is released by name."""

    def protected(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        if not is_protected(args.type_, args.name, released):
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
            f'stack "{name}": an environment\'s name has 2 to 10 lower-case letters, digits and '
            "hyphens, such as dev"
        ) from None


def config(model: type[SettingsT], *, namespace: str | None = None) -> SettingsT:
    """The keys of one namespace, by default the project's own, as `model`.

    A layer reads its own keys with `infra.stack_file.layer`, which checks the whole file.
    """
    return check(
        load,
        model,
        namespace=namespace or pulumi.get_project(),
        values=values(),
        file=file(),
        secret=secret_keys(),
    )


def values() -> dict[str, str]:
    """All keys of the stack file as the engine hands them over."""
    return {**engine_config.get_config_env(), **engine_config.CONFIG.get()}


def secret_keys() -> Iterable[str]:
    """The keys that the stack file holds encrypted."""
    return engine_config._SECRET_KEYS.get() or ()


def file() -> str:
    """The stack file's path below the repository's root."""
    return file_of(environment_of(pulumi.get_stack()))


def is_secret(key: str) -> bool:
    """Whether the stack file holds `key` of this project encrypted."""
    return f"{pulumi.get_project()}:{key}" in secret_keys()


def upstream(contract: type[ContractT]) -> ContractT:
    """The outputs of the layer that publishes `contract`, in this environment.

    In the preview of a whole environment, those that its preview announced.
    """
    layer = contract.layer
    outputs = _outputs(layer)
    if outputs is None:
        refuse(
            f"layer {layer.name} is not deployed in {pulumi.get_stack()}: there is no stack "
            f"{_stack_of(layer)}\nhint: {_deploy(layer)}"
        )
    return check(read, contract, outputs, environment=pulumi.get_stack())


def deployed(contract: type[ContractT]) -> ContractT | None:
    """What a layer published at its last update; the layer may be this one, or a later one.

    None where it is not deployed, or was deployed by a version of its program whose outputs are
    others. A program compares with it what it declares, or leaves in place what a later layer
    still uses; it never decides by it what to deploy.
    """
    try:
        return read(contract, _outputs(contract.layer) or {}, environment=pulumi.get_stack())
    except PlatformError:
        return None


def _outputs(layer: Layer) -> dict[str, Any] | None:
    """The planned outputs of a layer over those of its stack; None where there are neither."""
    return check(planned.over, _stack_outputs(layer), layer)


def _stack_outputs(layer: Layer) -> dict[str, Any] | None:
    """The outputs of a layer's stack; None where there is no such stack."""
    stack = _stack_of(layer)
    for attempt in count(1):
        try:
            answer = pulumi.runtime.invoke(READ_OUTPUTS, {"name": stack}).value
            break
        except Exception as error:
            if "unknown stack" in str(error):
                return None
            if HALF_WRITTEN in str(error) and attempt < READS:
                time.sleep(0.1 * attempt)
                continue
            refuse(
                f"the outputs of layer {layer.name} cannot be read from stack {stack}: "
                f"{_last_words(error)}"
            )
    outputs: dict[str, Any] = answer["outputs"]
    return outputs


def _stack_of(layer: Layer) -> str:
    return f"{pulumi.get_organization()}/{layer.project}/{pulumi.get_stack()}"


def read(contract: type[ContractT], outputs: dict[str, Any], *, environment: str) -> ContractT:
    """`outputs` of a deployed stack as a `contract`; an error names layer, field and remedy."""
    layer = contract.layer
    if not outputs:
        raise PlatformError(
            f"layer {layer.name} is not deployed in {environment}: its stack has no outputs"
            f"\nhint: {_deploy(layer, environment)}"
        )
    try:
        return msgspec.convert(whole_numbers(outputs), contract, dec_hook=_decode, strict=True)
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
    """Export `outputs` as the fields of `contract`; `TypeError` where the two differ."""
    fields = set(contract.__struct_fields__)
    if wrong := fields.symmetric_difference(outputs):
        raise TypeError(f"{contract.__name__} and the published outputs differ in {sorted(wrong)}")
    for name, value in outputs.items():
        secret = contract.__annotations__[name] is SecretText
        pulumi.export(name, pulumi.Output.secret(value) if secret else _exported(value))


def applied(value: pulumi.Output[T], decide: Callable[[T], R]) -> pulumi.Output[R]:
    """`value.apply(decide)` for a published output: unknown text leaves the rest of it known.

    With `apply` alone, one new address would make the whole output unknown in a preview.
    """

    def known(given: T) -> Any:
        shown = planned.marked(given)
        return shown if shown == planned.UNKNOWN else decide(shown)

    return value.apply(known, run_with_unknowns=True)


def check(rule: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """The result of `rule`; where it raises `PlatformError`, the program ends with the message."""
    try:
        return rule(*args, **kwargs)
    except PlatformError as error:
        name = environment_of(pulumi.get_stack())
        # A message may name several keys, each in a line of its own.
        lines = str(error).splitlines()
        refuse("\n".join(positions.located(one, root=ROOT, environment=name) for one in lines))


def warn(messages: Iterable[str]) -> None:
    """Show warnings, each with its place in the stack file."""
    name = environment_of(pulumi.get_stack())
    for message in messages:
        pulumi.log.warn(positions.located(message, root=ROOT, environment=name))


class Refused(SystemExit):
    """Ends the program; the engine has shown `message`."""

    def __init__(self, message: str) -> None:
        super().__init__(SHOWN_ALREADY)
        self.message = message


def refuse(message: str) -> NoReturn:
    """End the program with one message and no traceback."""
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


def _exported(value: object) -> object:
    """Parts of contracts as plain mappings, which an output can hold."""
    if isinstance(value, pulumi.Output):
        return value.apply(lambda known: _exported(planned.marked(known)), run_with_unknowns=True)
    if isinstance(value, msgspec.Struct):
        return planned.marked(msgspec.json.decode(msgspec.json.encode(value)))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_exported(item) for item in value]
    return value
