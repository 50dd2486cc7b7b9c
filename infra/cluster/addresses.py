"""Address ranges, and whether they hold what is to go into them. Pure."""

import ipaddress
from itertools import combinations
from typing import Annotated

from msgspec import Meta

Cidr = Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+\.\d+/\d+$")]
Zone = Annotated[str, Meta(pattern=r"^[a-z]+-[a-z]+[0-9]+-[a-z]$")]
RESERVED = 4
"""Addresses of a subnet's primary range that Google keeps for itself."""


def network(key: str, cidr: str) -> ipaddress.IPv4Network:
    """The network that `cidr` writes; `ValueError` says what is wrong with it."""
    try:
        return ipaddress.IPv4Network(cidr)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def refuse_overlaps(ranges: dict[str, ipaddress.IPv4Network]) -> None:
    """`ValueError` names the first two ranges that share an address."""
    for (one, first), (other, second) in combinations(ranges.items(), 2):
        if first.overlaps(second):
            raise ValueError(f"{one} {first} overlaps {other} {second}; move one of them")


def block_of(max_pods: int) -> int:
    """How many addresses GKE gives to a node for so many pods: twice as many, a power of two.

    https://docs.cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr
    """
    return 1 << max(4, (2 * max_pods - 1).bit_length())


def smallest(addresses: int) -> int:
    """The prefix length of the smallest range that holds so many addresses."""
    return 32 - max(0, (addresses - 1).bit_length())
