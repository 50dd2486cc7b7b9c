"""The pack as a Pulumi analyzer (`pulumirpc.Analyzer`): gRPC in, diagnostics out.

It implements the protocol directly. The SDK's `PolicyPack` parses each resource again for every
policy and starts its server in the constructor; here a resource is parsed once for all rules.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

from gkeplatform.environment import environment_of, environments
from gkeplatform.errors import PlatformError
from policies import settings, waivers
from policies.pack import Finding, Pack, Verdict
from policies.properties import from_struct, path_text, set_value
from policies.recording import Recorder
from policies.rule import Level, Rule
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
_FROM_PROTO = {
    analyzer_pb2.ADVISORY: Level.ADVISORY,
    analyzer_pb2.MANDATORY: Level.MANDATORY,
    analyzer_pb2.REMEDIATE: Level.REMEDIATE,
    analyzer_pb2.DISABLED: Level.DISABLED,
}
_GRPC_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


class Analyzer(analyzer_pb2_grpc.AnalyzerServicer):
    """`pulumirpc.Analyzer` over a `Pack`."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._preview = True
        self._declared: dict[str, Resource] = {}
        self._recorder = Recorder.from_environment()

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

    def GetAnalyzerInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Return the rules with their levels for this stack."""
        info = analyzer_pb2.AnalyzerInfo(name=NAME, version=VERSION, supportsConfig=True)
        info.policies.extend(self._info(rule) for rule in self._pack.rules.values())
        return info

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Apply levels from a policy configuration file, validated by the engine."""
        self._pack = self._pack.with_levels(
            {
                rule: _FROM_PROTO[config.enforcementLevel]
                for rule, config in request.policyConfig.items()
                if rule in self._pack.rules
            }
        )
        return empty_pb2.Empty()

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

    def _info(self, rule: Rule) -> Any:
        return analyzer_pb2.PolicyInfo(
            name=rule.id,
            displayName=rule.title,
            description=rule.title,
            enforcementLevel=_TO_PROTO[self._pack.level(rule)],
            severity=_severity(rule),
            policy_type=(
                analyzer_pb2.POLICY_TYPE_STACK
                if rule.over_stack
                else analyzer_pb2.POLICY_TYPE_RESOURCE
            ),
            remediation_steps=rule.fix,
            url=rule.references[0].url,
            tags=[rule.layer],
        )

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


def _waived(finding: Finding) -> str:
    if finding.waiver is not None:
        return f"\nwaived {finding.waiver.describe()}"
    if finding.expired_waiver is not None:
        return f"\nits waiver expired ({finding.expired_waiver.describe()})"
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


def serve(make: Callable[[], Pack]) -> None:
    """Serve a pack on a free port until SIGINT or SIGTERM. Prints the port on stdout.

    `make` is called first: a PlatformError ends the process with one line and no server.
    """
    try:
        pack = make()
    except PlatformError as error:
        sys.exit(f"error: {error}")
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    server = grpc.server(ThreadPoolExecutor(max_workers=4), options=_GRPC_OPTIONS)
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Analyzer(pack), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    done.wait()
    server.stop(0)
