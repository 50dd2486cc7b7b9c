"""What `up` waits for with an object, as annotations that the Kubernetes provider reads.

Its own wait for a Service ends ten seconds after the last change of the endpoints, which tells
nothing that the wait for the Deployment of its pods does not.
"""

from typing import Final

NOTHING: Final = {"pulumi.com/skipAwait": "true"}
AVAILABLE: Final = {"pulumi.com/waitFor": "condition=Available"}
"""All groups of a LeaderWorkerSet are ready."""
ADDRESS: Final = {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress[0].ip}"}
"""The address of a load balancer; it does not depend on pods."""
