"""The settings of a node pool that Google cannot change in place: another value replaces the pool.

Google deletes the pool, its nodes and its instance groups first, and then creates it anew under the
same name.
"""

import msgspec

from facts.machines import machine_type
from infra.cluster.pool_settings import NodePoolArgs

FIXED = (
    "accelerator",
    "boot_disk_kms_key",
    "compact",
    "flex_start",
    "local_ssd_count",
    "max_pods_per_node",
    "queued",
    "reservation",
    "spot",
    "tpu_topology",
)
"""Keys of `NodePoolArgs`; the provider's rules (`ForceNew`) decide, and a test compares."""


def spans_nodes(args: NodePoolArgs) -> bool:
    """Whether the pool is one TPU slice of several nodes."""
    machine = machine_type(args.machine_type)
    own = machine.tpu_topology if machine else ""
    return args.tpu_topology not in {None, own}


def fixed(args: NodePoolArgs) -> dict[str, str]:
    """The values of those keys as JSON."""
    values = {key: getattr(args, key) for key in FIXED}
    if not args.compact:
        # Clusters that were deployed before the key existed have published none.
        del values["compact"]
    if not spans_nodes(args):
        # Where it is the machine's own topology, the pool has no placement.
        values["tpu_topology"] = None
    return {key: msgspec.json.encode(value).decode() for key, value in values.items()}
