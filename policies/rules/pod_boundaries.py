"""Rules about what the containers of a pod share with each other, their node and their images."""

from collections.abc import Iterator
from typing import Any

from policies.pods import PODS_AND_PATCHES, Pod, pod
from policies.rule import advisory, kubernetes_docs
from policies.values import MalformedInputError, Props, entries, flag, number

_CONTEXT = kubernetes_docs("Security context", "tasks/configure-pod-container/security-context/")
_GROUPS = ("runAsGroup", "fsGroup")


@advisory(
    PODS_AND_PATCHES,
    layer="serving",
    severity="low",
    why="In a shared process namespace each container can read the environment, the files and the "
    "memory of the others through /proc, and send them signals.",
    fix="remove shareProcessNamespace; debug with an ephemeral container and --target",
    references=(
        kubernetes_docs(
            "Share process namespace", "tasks/configure-pod-container/share-process-namespace/"
        ),
    ),
    passing=pod(shareProcessNamespace=False),
    failing=pod(shareProcessNamespace=True),
)
def containers_share_no_processes(pod: Pod) -> Iterator[str]:
    """The containers of a pod do not share one process namespace."""
    if flag(pod.spec, "shareProcessNamespace"):
        yield "shareProcessNamespace is true"


@advisory(
    PODS_AND_PATCHES,
    layer="serving",
    severity="low",
    why="Entries in /etc/hosts override DNS, and go stale when an address changes. They can also "
    "redirect a program to another server.",
    fix="use a DNS name or a Service (type ExternalName, or one with its own EndpointSlice)",
    references=(kubernetes_docs("Host aliases", "tasks/network/customize-hosts-file-for-pods/"),),
    passing=pod(),
    failing=pod(hostAliases=[{"ip": "10.0.0.7", "hostnames": ["models.example"]}]),
)
def pods_resolve_names_by_dns(pod: Pod) -> Iterator[str]:
    """A pod adds no entries to /etc/hosts."""
    if entries(pod.spec, "hostAliases"):
        yield "hostAliases is set"


@advisory(
    PODS_AND_PATCHES,
    layer="serving",
    severity="low",
    why="Files of an image that only root's group may write or read are open to group 0.",
    fix="set runAsGroup, fsGroup and supplementalGroups to ids other than 0",
    references=(_CONTEXT,),
    passing=pod(securityContext={"runAsGroup": 65534, "fsGroup": 65534}),
    failing=pod(securityContext={"supplementalGroups": [0]}),
)
def containers_are_not_in_the_root_group(pod: Pod) -> Iterator[str]:
    """No container states group 0 as its group, its files' group or a further group."""
    if not any(map(pod.contexts_state, (*_GROUPS, "supplementalGroups"))):
        return
    for owner, context in pod.security_contexts():
        for key in _GROUPS:
            if number(context, key) == 0:
                yield f"{owner} has {key} 0"
        if 0 in _groups(context):
            yield f"{owner} has 0 in supplementalGroups"


def _groups(context: Props) -> list[Any]:
    found = context.get("supplementalGroups")
    if found is None:
        return []
    if not isinstance(found, list) or any(
        isinstance(one, bool) or not isinstance(one, int | float) for one in found
    ):
        raise MalformedInputError(f"supplementalGroups should be a list of numbers, not {found!r}")
    return found
