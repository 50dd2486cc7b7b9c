"""Address ranges: parsing, overlap, and picking a free one for a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, collapse_addresses, ip_network

# The space for automatic pod ranges. The search starts in the upper part, which is unused in most
# networks, and wraps around.
_POD_SPACE = IPv4Network("10.0.0.0/8")
_POD_START = IPv4Network("10.112.0.0/14")
SERVICES_RANGE = IPv4Network("34.118.224.0/20")
"""Google's default range for Services; clusters may share it."""
DEFAULT_POD_PREFIX = 14


class RangeError(ValueError):
    """A range is malformed or not available."""


def parse(text: str) -> IPv4Network:
    """Parse a range such as `10.4.0.0/14`. Host bits must be zero."""
    try:
        network = ip_network(text)
    except ValueError as error:
        raise RangeError(str(error)) from None
    if not isinstance(network, IPv4Network):
        raise RangeError(f"{text} is not an IPv4 range")
    return network


def prefix_length(text: str) -> int | None:
    """Return 17 for `/17`, and None for a range with addresses."""
    if not text.startswith("/"):
        return None
    try:
        length = int(text[1:])
    except ValueError:
        raise RangeError(f"{text} is not a netmask") from None
    if not 8 <= length <= 29:
        raise RangeError(f"{text} is not a netmask between /8 and /29")
    return length


def overlapping(one: IPv4Network, others: Iterable[IPv4Network]) -> IPv4Network | None:
    """Return the first of the others that overlaps this one."""
    return next((other for other in others if one.overlaps(other)), None)


def free_range(taken: Iterable[IPv4Network], length: int) -> IPv4Network:
    """Return a free range of this prefix length. Raises RangeError if there is none."""
    busy = list(collapse_addresses(taken))
    start = _POD_START.supernet(new_prefix=length) if length < 14 else _POD_START
    size = 2 ** (32 - length)
    count = _POD_SPACE.num_addresses // size
    first = (int(start.network_address) - int(_POD_SPACE.network_address)) // size
    for step in range(count):
        offset = int(_POD_SPACE.network_address) + ((first + step) % count) * size
        candidate = IPv4Network((offset, length))
        if overlapping(candidate, busy) is None:
            return candidate
    raise RangeError(f"no free range of size /{length} is left in {_POD_SPACE}")


def pods_per_node_prefix(max_pods: int) -> int:
    """Return the prefix length of a node's pod range: at least two addresses per pod, as in GKE."""
    length = 32
    while 2 ** (32 - length) < max_pods * 2:
        length -= 1
    return length
