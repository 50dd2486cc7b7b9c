"""Arithmetic of IP address ranges."""

import ipaddress
from itertools import combinations
from typing import Annotated

from msgspec import Meta

Cidr = Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+\.\d+/\d+$")]
Zone = Annotated[str, Meta(pattern=r"^[a-z]+-[a-z]+[0-9]+-[a-z]$")]
RESERVED = 4
"""Addresses that Google reserves in the primary range of a subnet."""


def network(key: str, cidr: str) -> ipaddress.IPv4Network:
    """`cidr` as a network; a `ValueError` names the key."""
    try:
        return ipaddress.IPv4Network(cidr)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def refuse_overlaps(ranges: dict[str, ipaddress.IPv4Network]) -> None:
    """`ValueError` for the first two ranges that overlap."""
    for (one, first), (other, second) in combinations(ranges.items(), 2):
        if first.overlaps(second):
            raise ValueError(f"{one} {first} overlaps {other} {second}; move one of them")


def block_of(max_pods: int) -> int:
    """The size of a node's pod range: at least twice its maximum of pods, a power of two.

    https://docs.cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr
    """
    return 1 << max(4, (2 * max_pods - 1).bit_length())


def smallest(addresses: int) -> int:
    """The prefix length of the smallest range with at least so many addresses."""
    return 32 - max(0, (addresses - 1).bit_length())
