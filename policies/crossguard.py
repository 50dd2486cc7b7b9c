"""The rules as policies of Pulumi's SDK: `ResourceValidationPolicy` and `StackValidationPolicy`.

Each policy has a rule's metadata, and its level and parameters in one stack. It runs in the SDK's
own servicer as well as in ours (`policies.server`), where `policies.pack` evaluates its rule on a
resource that is read once for all policies, with unknown and secret values kept.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, cast

import msgspec
from google.protobuf import json_format, struct_pb2
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyComplianceFramework,
    PolicyConfigSchema,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.deserialize import serialize_properties
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from gkeplatform.config import Settings
from gkeplatform.wire import whole_numbers
from policies.properties import from_json, set_value
from policies.rule import Level, Rule, Stack
from policies.subjects import Path, Resource
from policies.values import MalformedInputError, UnknownError

Report = Callable[[str, str | None], None]


class ResourcePolicy(ResourceValidationPolicy):
    """A rule that needs one resource only."""

    def __init__(self, rule: Rule, level: Level, parameters: Settings | None) -> None:
        super().__init__(
            validate=self._validate,
            # The SDK's annotation names awaitables only; it takes a plain result too.
            remediate=cast(Any, self._remediate) if rule.repair else None,
            **_metadata(rule, level),
        )
        self.rule = rule
        self.level = level
        self.parameters = parameters
        self.given: tuple[Settings, ...] = () if parameters is None else (parameters,)
        """What the rule takes after the resource and the stack."""

    def repairs(self, resource: Resource) -> list[tuple[Path, Any]]:
        """Return the values that repair a resource; empty if it complies or has no repair."""
        return list(self.rule.repair(resource, *self.given)) if self.rule.repair else []

    def _validate(self, args: ResourceValidationArgs, report: Report) -> None:
        rule = self.rule
        with _errors_of_the_sdk(rule, args.name, lambda message: report(message, None)):
            resource = _resource(args)
            if rule.selector.matches(resource.type):
                for subject in rule.selector.view(resource):
                    for message in rule.judge(subject, *_given(self, args)):
                        report(str(message), None)

    def _remediate(self, args: ResourceValidationArgs) -> dict[str, Any] | None:
        if not self.rule.selector.matches(args.resource_type):
            return None
        repaired = struct_pb2.Struct()
        repaired.update(serialize_properties(args.props))
        try:
            repairs = self.repairs(_resource(args))
            for path, value in repairs:
                set_value(repaired, path, value)
        except (MalformedInputError, UnknownError):
            return None  # left unchanged; the validation reports the violation
        return json_format.MessageToDict(repaired) if repairs else None


class StackPolicy(StackValidationPolicy):
    """A rule that needs the stack's other resources too."""

    def __init__(self, rule: Rule, level: Level, parameters: Settings | None) -> None:
        super().__init__(validate=self._validate, **_metadata(rule, level))
        self.rule = rule
        self.level = level
        self.parameters = parameters
        self.given: tuple[Settings, ...] = () if parameters is None else (parameters,)
        """What the rule takes after the resource and the stack."""

    def _validate(self, args: StackValidationArgs, report: Report) -> None:
        rule = self.rule
        stack = Stack([_resource(one) for one in args.resources])
        for resource in stack.of(rule.selector):

            def report_it(message: str, urn: str = resource.urn) -> None:
                report(message, urn)

            with _errors_of_the_sdk(rule, resource.name, report_it):
                for subject in rule.selector.view(resource):
                    for message in rule.judge(subject, stack, *_given(self, args)):
                        report_it(str(message))


RulePolicy = ResourcePolicy | StackPolicy


def policy(
    rule: Rule,
    level: Level | None = None,
    parameters: Settings | None = None,
    known: RulePolicy | None = None,
) -> RulePolicy:
    """Return a rule's policy, or `known` if that is the same.

    The defaults are the rule's own level and parameters.
    """
    level = level or rule.level
    if parameters is None and rule.parameters is not None:
        parameters = rule.parameters()
    if known and known.rule is rule and (known.level, known.parameters) == (level, parameters):
        return known
    kind = StackPolicy if rule.over_stack else ResourcePolicy
    return kind(rule, level, parameters)


def policies(rules: Iterable[Rule]) -> list[Policy]:
    """Return the policies of rules, for a `PolicyPack`."""
    return [policy(rule) for rule in rules]


def configured(one: RulePolicy, config: Any) -> Settings | None:
    """Return a policy's parameters with those of a policy configuration in their place.

    None without parameters. Raises msgspec.ValidationError for a value that does not fit.
    """
    if one.parameters is None:
        return None
    values = msgspec.to_builtins(one.parameters) | whole_numbers(config)
    return msgspec.convert(values, type(one.parameters))


class ParametersSchema(PolicyConfigSchema):
    """The JSON Schema of a rule's parameters, without their defaults; made when it is read.

    The engine would send the defaults as if a policy configuration had set them, in place of those
    of the stack file.
    """

    def __init__(self, parameters: type[Settings]) -> None:
        self.required = None
        self._parameters = parameters

    @cached_property
    def properties(self) -> dict[str, Any]:  # type: ignore[override]  # read only
        """The schema of each parameter."""
        parameters = [self._parameters]
        (reference,), types = msgspec.json.schema_components(parameters, ref_template="{name}")
        properties: dict[str, Any] = _inlined(types[reference["$ref"]]["properties"], types)
        return properties


def _metadata(rule: Rule, level: Level) -> dict[str, Any]:
    first = rule.references[0]
    return {
        "name": rule.id,
        "description": rule.title,
        "display_name": rule.title,
        "enforcement_level": EnforcementLevel(level.value),
        "config_schema": None if rule.parameters is None else ParametersSchema(rule.parameters),
        "severity": Severity(rule.severity),
        "framework": PolicyComplianceFramework(
            name=first.source, reference=first.control, specification=first.url
        ),
        "tags": [rule.layer],
        "remediation_steps": rule.fix,
        "url": first.url,
    }


def _inlined(schema: Any, types: Any) -> Any:
    """Replace references by what they refer to: the engine resolves none."""
    if isinstance(schema, list):
        return [_inlined(item, types) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(name := schema.get("$ref"), str):
        return _inlined(types[name], types)
    return {key: _inlined(value, types) for key, value in schema.items() if key != "default"}


def _given(one: RulePolicy, args: Any) -> tuple[Settings, ...]:
    """The parameters in a policy configuration, or the policy's own."""
    config = args.get_config()
    found = configured(one, config) if config else one.parameters
    return () if found is None else (found,)


def _resource(args: Any) -> Resource:
    """Read a resource from the SDK's arguments."""
    provider = {} if args.provider is None else _wire(args.provider.props)
    return Resource(
        args.resource_type,
        from_json(_wire(args.props), args.name),
        args.name,
        args.urn,
        from_json(provider, ""),
        protect=args.opts.protect,
    )


def _wire(props: Any) -> dict[str, Any]:
    found: dict[str, Any] = whole_numbers(serialize_properties(props))
    return found


@contextmanager
def _errors_of_the_sdk(rule: Rule, name: str, report: Callable[[str], None]) -> Iterator[None]:
    """Report what a rule cannot evaluate; an unknown value becomes the SDK's error."""
    try:
        yield
    except UnknownError as error:
        raise UnknownValueError(UNKNOWN_STRING_VALUE, [error.path]) from None
    except Exception as error:
        reason = json.dumps(str(error)) if not isinstance(error, MalformedInputError) else error
        report(f"rule {rule.id} cannot evaluate {name}: {reason}")
