"""The pack as a Pulumi analyzer: the SDK's server, with a servicer that reads a resource once.

The SDK's own servicer reads a resource anew for each policy, knows no waivers, and judges a stack
by its outputs.
"""

import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pulumi_policy
from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2, plugin_pb2
from pulumi_policy import policy as sdk

from gkeplatform.config import Settings
from gkeplatform.environment import environment_of, environments
from gkeplatform.errors import PlatformError
from policies import settings, waivers
from policies.crossguard import RulePolicy, configured
from policies.pack import Finding, Pack, Verdict
from policies.properties import from_struct, path_text, set_value
from policies.recording import Recorder
from policies.rule import Level, Rule
from policies.settings import RuleSettings
from policies.subjects import Resource
from policies.values import MalformedInputError
from policies.waivers import Waiver

ROOT = Path(__file__).resolve().parents[1]
NAME = "gke-policies"
VERSION = "0.1.0"

_TO_PROTO = {
    Level.ADVISORY: analyzer_pb2.ADVISORY,
    Level.MANDATORY: analyzer_pb2.MANDATORY,
    Level.REMEDIATE: analyzer_pb2.REMEDIATE,
    Level.DISABLED: analyzer_pb2.DISABLED,
}


class Analyzer(sdk._PolicyAnalyzerServicer):
    """The SDK's servicer over a `Pack`.

    It runs the policies of a resource's type only, on a resource that it reads once.
    """

    def __init__(
        self, name: str, version: str, policies: Sequence[sdk.Policy], level: Any, *rest: Any
    ) -> None:
        super().__init__(name, version, list(policies), level, *rest)
        self._pack = _pack(policies)
        self._preview = True
        self._declared: dict[str, Resource] = {}
        self._recorder = Recorder.from_environment()

    @classmethod
    def of(cls, pack: Pack) -> "Analyzer":
        """Return the analyzer of a pack."""
        default = pulumi_policy.EnforcementLevel.MANDATORY
        analyzer = cls(NAME, VERSION, list(pack.policies.values()), default)
        analyzer._pack = pack
        return analyzer

    def ConfigureStack(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Load the stack's settings and waivers. The engine calls this first."""
        self._preview = request.dry_run
        environment, today = environment_of(request.stack), datetime.now(UTC).date()
        try:
            chosen = settings.for_stack(request.stack, dict(request.config), rules=self._pack.rules)
            every = waivers.read(
                ROOT, rules=self._pack.rules, environments=environments(ROOT), today=today
            )
        except PlatformError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        self._pack = self._pack.with_settings(chosen, waivers.in_force(every, environment, today))
        return analyzer_pb2.AnalyzerStackConfigureResponse()

    def GetAnalyzerInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return the policies with their levels for this stack."""
        info: Any = super().GetAnalyzerInfo(request, context)  # type: ignore[no-untyped-call]
        info.version = VERSION
        for policy in info.policies:
            policy.enforcementLevel = _TO_PROTO[self._pack.policies[policy.name].level]
        return info

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Apply levels and parameters of a policy configuration file."""
        answer = super().Configure(request, context)  # type: ignore[no-untyped-call]
        levels: dict[str, Level] = {}
        parameters: dict[str, Settings] = {}
        for policy in self._pack.policies.values():
            if policy.name not in request.policyConfig:
                continue
            levels[policy.name] = Level(self._get_enforcement_level(policy).value)
            if config := self._get_policy_config(policy.name):
                try:
                    found = configured(policy, config)
                except msgspec.ValidationError as error:
                    reason = f"the policy configuration of {policy.name}: {error}"
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
                if found is not None:
                    parameters[policy.name] = found
        self._pack = self._pack.with_settings(RuleSettings(levels, parameters))
        return answer

    def Analyze(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Evaluate the resource rules on the inputs that the program declares."""
        resource = _resource(request)
        self._declared[request.urn] = resource
        findings = self._pack.judge(resource)
        self._recorder.judged(resource, findings)
        return self._response(findings)

    def AnalyzeStack(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Evaluate the stack rules.

        The engine sends the resources' outputs, but the rules are about declared inputs: the API
        server fills in `replicas`, for example, which a program leaves to the autoscaler.
        """
        resources = [self._declared.get(one.urn) or _resource(one) for one in request.resources]
        findings = self._pack.judge_stack(resources)
        self._recorder.ended(findings)
        response = self._response(findings)
        for waiver in self._pack.waivers.expired:
            self._add_expired(response, waiver, resources)
        return response

    def Remediate(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Apply the repairs of rules at level `remediate` to the properties as received."""
        response = analyzer_pb2.RemediateResponse()
        properties = request.properties
        for rule, remediations in groupby(
            self._pack.remediations(_resource(request)), lambda m: m.rule
        ):
            repaired = struct_pb2.Struct()
            repaired.CopyFrom(properties)
            applied = list(remediations)
            try:
                for remediation in applied:
                    set_value(repaired, remediation.path, remediation.value)
            except MalformedInputError:
                continue  # left unchanged; Analyze reports the violation
            response.remediations.add(
                policyName=rule.id,
                policyPackName=NAME,
                policyPackVersion=VERSION,
                description=", ".join(path_text(remediation.path) for remediation in applied),
                properties=repaired,
            )
            properties = repaired
        return response

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Return the pack's version."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def _add_expired(self, response: Any, waiver: Waiver, resources: Iterable[Resource]) -> None:
        """Report an expired waiver as a violation of the resources that it applies to."""
        for resource in resources:
            if waiver.matches(resource) and waiver.rule in self._pack.rules:
                response.diagnostics.add(
                    policyName=waiver.rule,
                    policyPackName=NAME,
                    policyPackVersion=VERSION,
                    description="A waiver is valid until its expiry date.",
                    message=f"the waiver of {waiver.rule} expired ({waiver.describe()})\n"
                    f"hint: remove it from {waivers.FILE} or agree on a new date",
                    urn=resource.urn,
                    enforcementLevel=analyzer_pb2.MANDATORY,
                )

    def _response(self, findings: Iterable[Finding]) -> Any:
        response = analyzer_pb2.AnalyzeResponse()
        for finding in findings:
            rule, level = finding.rule, self._pack.level(finding.rule)
            if finding.verdict is Verdict.NOT_APPLICABLE:
                response.not_applicable.add(policy_name=rule.id, reason=finding.messages[0])
                continue
            if finding.waiver is not None:
                level = Level.ADVISORY
            elif level is Level.REMEDIATE:
                level = Level.MANDATORY  # the repair did not fix it
            if finding.verdict is Verdict.UNKNOWN and self._preview:
                response.not_applicable.add(policy_name=rule.id, reason=_message(finding, True))
                if level is not Level.MANDATORY:
                    continue
                level = Level.ADVISORY
            response.diagnostics.add(
                policyName=rule.id,
                policyPackName=NAME,
                policyPackVersion=VERSION,
                description=rule.title,
                message=_message(finding, self._preview) + _waived(finding),
                urn=finding.resource.urn,
                enforcementLevel=_TO_PROTO[level],
                severity=_severity(rule),
            )
        return response


def _pack(policies: Iterable[sdk.Policy]) -> Pack:
    """Return the pack of rules' policies. Raises PlatformError if two have one name."""
    ours = [one for one in policies if isinstance(one, RulePolicy)]
    return Pack([one.rule for one in ours], {one.name: one.level for one in ours})


def _waived(finding: Finding) -> str:
    if finding.waiver is not None:
        return f"\nwaived {finding.waiver.describe()}"
    if finding.expired_waiver is not None:
        return f"\nits waiver expired ({finding.expired_waiver.describe()})"
    if finding.waived_elsewhere:
        return f"\nwaived in {', '.join(finding.waived_elsewhere)} only"
    return ""


def _resource(message: Any) -> Resource:
    provider = message.provider
    return Resource(
        message.type,
        from_struct(message.properties, message.name),
        message.name,
        message.urn,
        from_struct(provider.properties, provider.name) if message.HasField("provider") else {},
        protect=message.options.protect,
    )


def _message(finding: Finding, preview: bool) -> str:
    """Return the text that the engine shows below the rule's id, level and resource."""
    rule, messages = finding.rule, finding.messages
    if finding.verdict is Verdict.UNKNOWN:
        when = (
            "is known only during the update; the rule runs then, before the resource is changed"
            if preview and not rule.over_stack
            else "is known only during the update; the rule runs then"
            if preview
            else "is unknown even during the update, so the rule cannot be evaluated"
        )
        return f"{rule.title} Not evaluated yet: {messages[0]} {when}."
    if finding.verdict is Verdict.BROKEN:
        return (
            f"{rule.title}\n"
            f"rule {rule.id} cannot evaluate {finding.resource.name}: {messages[0]}\n"
            "hint: give the property the type that the provider documents"
        )
    return "\n".join((rule.title, *messages, f"hint: {rule.fix}"))


def _severity(rule: Rule) -> Any:
    return analyzer_pb2.PolicySeverity.Value(f"POLICY_SEVERITY_{rule.severity.upper()}")


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """End the process with one line for a PlatformError, such as that of an incomplete rule."""
    try:
        yield
    except PlatformError as error:
        sys.exit(f"error: {error}")


class PolicyPack(pulumi_policy.PolicyPack):
    """The SDK's `PolicyPack`, served by `Analyzer` until SIGINT or SIGTERM.

    Raises PlatformError if two policies have one name.
    """

    def __init__(self, name: str, policies: Sequence[sdk.Policy], **metadata: Any) -> None:
        _pack(policies)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        # The SDK's constructor names the servicer's class, and has no parameter for another.
        sdk._PolicyAnalyzerServicer = Analyzer  # type: ignore[misc, assignment]
        with suppress(KeyboardInterrupt):  # one that comes before the constructor waits for it
            super().__init__(name, list(policies), **metadata)
