"""Names of LeaderWorkerSets (LWS 0.9), by which models run on several hosts.

https://lws.sigs.k8s.io/docs/reference/labels-annotations-and-environment-variables/
"""

from typing import Final

API: Final = "leaderworkerset.x-k8s.io/v1"
KIND: Final = "LeaderWorkerSet"
NAME_LABEL: Final = "leaderworkerset.sigs.k8s.io/name"
"""On all pods of a set. Only the leaders are behind a Service."""
GROUP_LABEL: Final = "leaderworkerset.sigs.k8s.io/group-key"
"""On all pods of a group, with a value of its own."""
INDEX_LABEL: Final = "leaderworkerset.sigs.k8s.io/worker-index"
"""The place of a pod in its group; the leader's is 0."""
SIZE: Final = "leaderworkerset.sigs.k8s.io/size"
"""Annotation of all pods of a set: the number of pods of a group."""
EXCLUSIVE: Final = "leaderworkerset.sigs.k8s.io/exclusive-topology"
"""Annotation of a set: the node label of which each group has a value to itself."""
