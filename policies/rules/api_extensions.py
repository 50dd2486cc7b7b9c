"""Rules about what extends the API server: API services and admission webhooks."""

from collections.abc import Iterator

from policies.rule import advisory, google, kubernetes_docs, mandatory
from policies.subjects import kubernetes
from policies.values import Props, block, entries, flag, text, texts

_API_SERVICES = kubernetes("apiregistration.k8s.io", "APIService")
_AGGREGATION = kubernetes_docs(
    "Aggregation layer", "concepts/extend-kubernetes/api-extension/apiserver-aggregation/"
)
_WEBHOOKS = kubernetes(
    "admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"
)
_WEBHOOK_PRACTICE = kubernetes_docs(
    "Admission webhook good practices",
    "concepts/cluster-administration/admission-webhooks-good-practices/",
)
_SYSTEM_OBJECTS = (("", "pods"), ("coordination.k8s.io", "leases"))
"""Namespaced objects, by group, without which nodes and add-ons do not work."""


def _service(**spec: object) -> Props:
    return {"metadata": {"name": "v1beta1.metrics.example"}, "spec": {"group": "a.example", **spec}}


def _webhook(**more: object) -> Props:
    rule = {"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}
    return {"webhooks": [{"name": "a.example.com", "rules": [rule], **more}]}


@mandatory(
    _API_SERVICES,
    layer="serving",
    severity="high",
    why="The API server then forwards requests, with the identities of their callers, to whatever "
    "answers at the Service's address.",
    fix="remove insecureSkipTLSVerify and set caBundle to the CA of the Service's certificate",
    references=(_AGGREGATION,),
    passing=_service(caBundle="LS0tLS1CRUdJTg=="),
    failing=_service(insecureSkipTLSVerify=True),
)
def api_services_are_verified(service: Props) -> Iterator[str]:
    """The API server verifies the certificate of an APIService."""
    if flag(service, "spec", "insecureSkipTLSVerify"):
        yield "insecureSkipTLSVerify is true"


@advisory(
    _WEBHOOKS,
    layer="serving",
    severity="medium",
    why="If the webhook's own pods fail, nothing that it judges can start, the system's pods "
    "and those of the webhook included: the cluster cannot repair itself.",
    fix="exclude kube-system and the webhook's own namespace with namespaceSelector, or select "
    "objects with objectSelector",
    references=(
        google(
            "Webhooks and control plane stability",
            "kubernetes-engine/docs/how-to/optimize-webhooks",
        ),
        _WEBHOOK_PRACTICE,
    ),
    passing=_webhook(namespaceSelector={"matchLabels": {"team": "models"}}),
    failing=_webhook(failurePolicy="Fail"),
)
def webhooks_spare_system_namespaces(configuration: Props) -> Iterator[str]:
    """A webhook that fails closed does not judge the pods of system namespaces."""
    for webhook in entries(configuration, "webhooks"):
        if text(webhook, "failurePolicy") == "Ignore" or _is_narrowed(webhook):
            continue
        if any(map(_judges_system_objects, entries(webhook, "rules"))):
            yield f"{text(webhook, 'name')} judges objects of every namespace and fails closed"


def _is_narrowed(webhook: Props) -> bool:
    return bool(entries(webhook, "matchConditions")) or any(
        block(webhook, key, "matchLabels") or entries(webhook, key, "matchExpressions")
        for key in ("namespaceSelector", "objectSelector")
    )


def _judges_system_objects(rule: Props) -> bool:
    if text(rule, "scope") == "Cluster" or not {"*", "CREATE", "UPDATE"}.intersection(
        texts(rule, "operations")
    ):
        return False
    groups, resources = texts(rule, "apiGroups"), texts(rule, "resources")
    return any(
        not {"*", group}.isdisjoint(groups) and not {"*", "*/*", name}.isdisjoint(resources)
        for group, name in _SYSTEM_OBJECTS
    )


@advisory(
    _WEBHOOKS,
    layer="serving",
    severity="medium",
    why="With failurePolicy Ignore, anyone who can make the webhook fail can bypass it.",
    fix="set failurePolicy to Fail, and exclude kube-system with namespaceSelector",
    references=(_WEBHOOK_PRACTICE,),
    passing={"webhooks": [{"name": "a.example.com", "failurePolicy": "Fail"}]},
    failing={"webhooks": [{"name": "a.example.com", "failurePolicy": "Ignore"}]},
)
def webhooks_fail_closed(configuration: Props) -> Iterator[str]:
    """An admission webhook rejects requests when it fails."""
    for webhook in entries(configuration, "webhooks"):
        if text(webhook, "failurePolicy") == "Ignore":
            yield f"{text(webhook, 'name')} has failurePolicy Ignore"
