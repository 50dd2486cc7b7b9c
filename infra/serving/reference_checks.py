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
        hook = pulumi.ResourceHook("reference-checks-are-enforced", enforced)
        settled = pulumi.ResourceHookBinding(after_create=[hook], after_update=[hook])
        policies: dict[str, admission.ValidatingAdmissionPolicy] = {}
        for kind in kinds(workloads):
            policies[kind] = admission.ValidatingAdmissionPolicy(
                kind.lower(),
                metadata=sdk(self._metadata(f"models.{kind.lower()}s-exist")),
                spec=sdk(policy(kind)),
                opts=pulumi.ResourceOptions(parent=self, hooks=settled),
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
                            parent=self, depends_on=[policies[reference.kind]], hooks=settled
                        ),
                    )
                )
        self.register_outputs({})

    def before(self, workload: str, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
        """`opts` of a model server that is created when the API server checks it."""
        wait = pulumi.ResourceOptions(depends_on=self._bindings.get(workload, []))
        return pulumi.ResourceOptions.merge(opts, wait)

    def _metadata(self, name: str) -> Manifest:
        return {
            "name": name,
            "labels": self._labels.kubernetes(name="models", component="reference-check"),
        }


async def enforced(_: pulumi.ResourceHookArgs) -> None:
    """A hook of what was created or changed: returns once the API server enforces it.

    The engine does not run it in a preview, nor for what is unchanged.
    """
    await asyncio.sleep(SETTLE_SECONDS)


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
