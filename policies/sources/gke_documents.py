"""Recognizes the container API's messages: a cluster, a node pool, or a list of them.

They are the JSON output of `gcloud container clusters describe` and `node-pools describe`, of their
`list`, or a client library's dump of the same message (see `api_json`).
"""

from typing import Any

from policies.sources import api_json
from policies.subjects import Path

Json = dict[str, Any]

_MARKS = frozenset(
    [
        "addonsConfig",
        "authenticatorGroupsConfig",
        "autopilot",
        "autoscaling",
        "binaryAuthorization",
        "controlPlaneEndpointsConfig",
        "costManagementConfig",
        "currentMasterVersion",
        "currentNodeCount",
        "databaseEncryption",
        "enableKubernetesAlpha",
        "initialClusterVersion",
        "ipAllocationPolicy",
        "legacyAbac",
        "locations",
        "loggingConfig",
        "loggingService",
        "maintenancePolicy",
        "masterAuth",
        "masterAuthorizedNetworksConfig",
        "monitoringConfig",
        "monitoringService",
        "networkConfig",
        "networkPolicy",
        "nodeConfig",
        "nodePools",
        "notificationConfig",
        "podSecurityPolicyConfig",
        "privateClusterConfig",
        "releaseChannel",
        "securityPostureConfig",
        "selfLink",
        "shieldedNodes",
        "workloadIdentityConfig",
    ]
)
"""Keys that identify a cluster: every cluster from the API has one of them."""

_LISTS = ("clusters", "nodePools")
_NODE_CONFIG = frozenset(
    {"diskSizeGb", "imageType", "machineType", "oauthScopes", "serviceAccount"}
)
"""Keys that identify a node pool's `config`: the API returns all of them."""


def recognizes(content: Any) -> bool:
    """Whether a document is a cluster, a node pool or a list of them."""
    found, _ = messages(content)
    return bool(found) and all(is_node_pool(one) or _is_cluster(one) for one in found)


def messages(content: Any) -> tuple[list[Any], Path]:
    """Return the messages of a document, and the path of their list in it."""
    if isinstance(content, list):
        return content, ()
    if not isinstance(content, dict):
        return [], ()
    for key, listed in content.items():
        if "name" not in content and isinstance(listed, list) and _spelled(key) in _LISTS:
            return listed, (key,)
    return [content], ()


def is_node_pool(message: Any) -> bool:
    """Whether a message is a node pool. It shares most keys with a cluster, but not `config`."""
    if not _is_message(message):
        return False
    spelled = {_spelled(key): value for key, value in message.items()}
    if "/nodePools/" in str(spelled.get("selfLink", "")):
        return True
    config = spelled.get("config")
    return isinstance(config, dict) and not _NODE_CONFIG.isdisjoint(map(_spelled, config))


def cluster_of(pool: Json) -> str:
    """Return the name of the cluster that a node pool belongs to; empty if it does not say."""
    _, _, rest = str(pool.get("selfLink", "")).partition("/clusters/")
    return rest.partition("/")[0]


def _is_cluster(message: Any) -> bool:
    return _is_message(message) and not _MARKS.isdisjoint(map(_spelled, message))


def _is_message(content: Any) -> bool:
    """Whether this is an object with a name that is no Kubernetes object."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("name"), str)
        and {"apiVersion", "kind", "spec"}.isdisjoint(map(_spelled, content))
    )


def _spelled(key: Any) -> str:
    return api_json.camel_case(str(key))
