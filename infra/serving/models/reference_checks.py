"""Checks by the API server that what a model's pods refer to exists.

The API server evaluates them when a Deployment is created or its pod template changes, during a
preview too. Secrets are parameters of the policies: their values never leave the API server, so
nothing of them is in the program or its state.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from infra.serving.manifest import Manifest
from infra.serving.models.workload import Workload

Kind = Literal["Secret", "ConfigMap"]

_REFERENCES = {"Secret": "secretKeyRef", "ConfigMap": "configMapKeyRef"}
_LONGEST_LABEL = 63
"""Of the part of a label's key behind the slash."""
_CONTAINERS = (
    "(object.spec.template.spec.containers + "
    "(has(object.spec.template.spec.initContainers) ? "
    "object.spec.template.spec.initContainers : []))"
)


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A Secret or ConfigMap that the pods of a workload need."""

    kind: Kind
    name: str

    def binding(self, namespace: str, workload: str) -> str:
        """The name of its binding. The API server reports it, so it says what is missing."""
        return f"{namespace}.{workload}.needs-{self.kind.lower()}.{self.name}"

    @property
    def label(self) -> str:
        """The label of the workload by which its binding knows that it needs the object."""
        told = f"needs-{self.kind.lower()}.{self.name}"
        if len(told) > _LONGEST_LABEL:
            digest = hashlib.sha256(self.name.encode()).hexdigest()[:8]
            told = f"{told[: _LONGEST_LABEL - 9]}-{digest}"
        return f"platform/{told}"


def labels(workload: Workload) -> dict[str, str]:
    """Labels of the Deployment, one for each object that its pods need."""
    return {one.label: "true" for one in references(workload)}


def references(workload: Workload) -> list[Reference]:
    """What the stack file names; each once. Synchronized Secrets are awaited instead."""
    found: set[Reference] = set()
    for value in workload.references.values():
        if value.secret is not None:
            found.add(Reference("Secret", value.secret))
        if value.config_map is not None:
            found.add(Reference("ConfigMap", value.config_map))
    for volume in workload.pod.volumes:
        if volume.secret is not None:
            found.add(Reference("Secret", volume.secret))
        if volume.config_map is not None:
            found.add(Reference("ConfigMap", volume.config_map))
    found |= {Reference("Secret", name) for name in workload.pod.image_pull_secrets}
    for container in (*workload.pod.containers, *workload.pod.init_containers):
        found |= set(_of_container(container))
    return sorted(found)


def _of_container(container: Mapping[str, Any]) -> Iterator[Reference]:
    """Required references of a container as Kubernetes spells it."""
    for entries, kinds in (
        (container.get("env") or [], {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}),
        (container.get("envFrom") or [], {"secretRef": "Secret", "configMapRef": "ConfigMap"}),
    ):
        for entry in entries:
            sources = entry.get("valueFrom", entry) or {}
            for key, kind in kinds.items():
                source = sources.get(key) or {}
                if source.get("name") and not source.get("optional"):
                    yield Reference("Secret" if kind == "Secret" else "ConfigMap", source["name"])


def policy(kind: Kind) -> Manifest:
    """The spec of the ValidatingAdmissionPolicy for one kind; its parameter is the object."""
    source = _REFERENCES[kind]
    ours = f"has(e.valueFrom) && has(e.valueFrom.{source})"
    required = f"!(has(e.valueFrom.{source}.optional) && e.valueFrom.{source}.optional)"
    named = f"{ours} && e.valueFrom.{source}.name == params.metadata.name && {required}"
    has_key = f"has(params.data) && e.valueFrom.{source}.key in params.data"
    missing = f"c.env.filter(e, {named} && !({has_key}))"
    return {
        "failurePolicy": "Fail",
        "paramKind": {"apiVersion": "v1", "kind": kind},
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": ["apps"],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": ["deployments"],
                }
            ]
        },
        # Other updates, such as the Deployment controller's, pass while a Secret is replaced.
        "matchConditions": [
            {
                "name": "pods-change",
                "expression": "oldObject == null || "
                "object.spec.template != oldObject.spec.template",
            }
        ],
        "validations": [
            {
                "expression": f"{_CONTAINERS}.all(c, !has(c.env) || {missing}.size() == 0)",
                "messageExpression": (
                    f"'{kind} \"' + params.metadata.name + '\" has no key ' + "
                    f"{_CONTAINERS}.filter(c, has(c.env)).map(c, {missing}.map(e, "
                    f"'\"' + e.valueFrom.{source}.key + '\", for ' + e.name).join('; '))"
                    ".filter(m, m != '').join('; ')"
                ),
            }
        ],
    }


def binding(reference: Reference, *, policy: str, namespace: str, workload: str) -> Manifest:
    """The spec of the binding for one workload. Without its parameter, changes are denied.

    The API server looks for the parameter before it looks at the conditions of the policy. So the
    binding matches only a Deployment that says by a label that it needs the object: one that no
    longer does can be updated while the binding is still there.
    """
    return {
        "policyName": policy,
        "validationActions": ["Deny"],
        "paramRef": {
            "name": reference.name,
            "namespace": namespace,
            "parameterNotFoundAction": "Deny",
        },
        "matchResources": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "objectSelector": {
                "matchLabels": {"app.kubernetes.io/name": workload, reference.label: "true"}
            },
        },
    }


def kinds(workloads: Sequence[Workload]) -> list[Kind]:
    """The kinds that any workload refers to."""
    return sorted({one.kind for workload in workloads for one in references(workload)})
