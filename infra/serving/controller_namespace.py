"""The namespace of a controller that the platform installs, with the kinds of its objects."""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.apiextensions import v1 as extensions
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.networking import v1 as networking

from infra.serving.manifest import Manifest, sdk


def controller_namespace(
    name: str,
    metadata: Manifest,
    *,
    network_policy: Manifest,
    definitions: Mapping[str, Manifest],
    parent: pulumi.Resource,
) -> tuple[pulumi.ResourceOptions, list[pulumi.Resource]]:
    """Declare a namespace of restricted pods with its network policy, and the kinds.

    `metadata` is that of the policy, which has the namespace's name and labels; `definitions` are
    the specs of the CustomResourceDefinitions by name. Returns the options of what is in the
    namespace, and the definitions.
    """
    child = pulumi.ResourceOptions(parent=parent)
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = core.Namespace(
        name,
        metadata={"name": metadata["namespace"], "labels": {**metadata["labels"], **enforced}},
        opts=child,
    )
    inside = pulumi.ResourceOptions(parent=parent, depends_on=[namespace])
    kinds: list[pulumi.Resource] = [
        extensions.CustomResourceDefinition(key, metadata={"name": key}, spec=sdk(spec), opts=child)
        for key, spec in definitions.items()
    ]
    networking.NetworkPolicy(name, metadata=sdk(metadata), spec=sdk(network_policy), opts=inside)
    return inside, kinds
