"""The component of the checks that Secrets and ConfigMaps of models exist before a rollout."""

import asyncio
from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.admissionregistration import v1 as admission

from gkeplatform.labels import Labels
from infra.serving.manifest import Manifest, sdk
from infra.serving.models import Workload
from infra.serving.models.reference_checks import binding, kinds, policy, references

SETTLE_SECONDS = 3
"""The API server compiles new policies once a second, and then loads their parameters."""


class ReferenceChecks(pulumi.ComponentResource):
    """A policy for each kind, and a binding for each object that a model names."""

    def __init__(
        self,
        name: str,
        workloads: Sequence[Workload],
        *,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:ReferenceChecks", name, None, opts)
        self._labels = labels
        policies: dict[str, admission.ValidatingAdmissionPolicy] = {}
        for kind in kinds(workloads):
            policies[kind] = admission.ValidatingAdmissionPolicy(
                kind.lower(),
                metadata=sdk(self._metadata(f"models.{kind.lower()}s-exist")),
                spec=sdk(policy(kind)),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self._bindings: dict[str, list[pulumi.Resource]] = {}
        for workload in workloads:
            for reference in references(workload):
                own = reference.binding(workload.namespace, workload.name)
                spec = binding(
                    reference,
                    policy=f"models.{reference.kind.lower()}s-exist",
                    namespace=workload.namespace,
                    workload=workload.name,
                )
                self._bindings.setdefault(workload.name, []).append(
                    admission.ValidatingAdmissionPolicyBinding(
                        own,
                        metadata=sdk(self._metadata(own)),
                        spec=sdk(spec),
                        opts=pulumi.ResourceOptions(
                            parent=self, depends_on=[policies[reference.kind]]
                        ),
                    )
                )
        self.register_outputs({})

    def before(self, workload: str, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
        """`opts` of a model server that is created when the API server checks it."""
        bindings = self._bindings.get(workload, [])
        if not bindings:
            return opts
        enforced: pulumi.Output[pulumi.Resource] = pulumi.Output.from_input(_settled(bindings))
        wait = pulumi.ResourceOptions(depends_on=[enforced])
        return pulumi.ResourceOptions.merge(opts, wait)

    def _metadata(self, name: str) -> Manifest:
        return {
            "name": name,
            "labels": self._labels.kubernetes(name="models", component="reference-check"),
        }


async def _settled(bindings: Sequence[pulumi.Resource]) -> pulumi.Resource:
    """The last of the bindings, once the API server enforces them all."""
    for one in bindings:
        if isinstance(one, pulumi.CustomResource):
            await one.id.future()
    if not pulumi.runtime.is_dry_run():
        await asyncio.sleep(SETTLE_SECONDS)
    return bindings[-1]


def reference_checks(
    name: str,
    workloads: Sequence[Workload],
    *,
    labels: Labels,
    opts: pulumi.ResourceOptions | None = None,
) -> ReferenceChecks | None:
    """The checks; None if no model refers to anything."""
    if not kinds(workloads):
        return None
    return ReferenceChecks(name, workloads, labels=labels, opts=opts)
