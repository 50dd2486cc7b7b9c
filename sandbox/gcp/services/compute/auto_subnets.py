"""The ranges that auto mode networks give to the subnetworks of each region.

A region keeps its range in every network, whatever regions are opened later. Regions that Google
opens to a project on request have none in other projects.
Source: https://docs.cloud.google.com/vpc/docs/subnets#ip-ranges
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_SECOND_OCTETS: Mapping[str, int] = {
    "africa-south1": 218,
    "asia-east1": 140,
    "asia-east2": 170,
    "asia-northeast1": 146,
    "asia-northeast2": 174,
    "asia-northeast3": 178,
    "asia-south1": 160,
    "asia-south2": 190,
    "asia-southeast1": 148,
    "asia-southeast2": 184,
    "australia-southeast1": 152,
    "australia-southeast2": 192,
    "europe-central2": 186,
    "europe-north1": 166,
    "europe-north2": 226,
    "europe-southwest1": 204,
    "europe-west1": 132,
    "europe-west10": 214,
    "europe-west12": 210,
    "europe-west2": 154,
    "europe-west3": 156,
    "europe-west4": 164,
    "europe-west6": 172,
    "europe-west8": 198,
    "europe-west9": 200,
    "me-central1": 212,
    "me-west1": 208,
    "northamerica-northeast1": 162,
    "northamerica-northeast2": 188,
    "northamerica-south1": 224,
    "southamerica-east1": 158,
    "southamerica-west1": 194,
    "us-central1": 128,
    "us-east1": 142,
    "us-east4": 150,
    "us-east5": 202,
    "us-south1": 206,
    "us-west1": 138,
    "us-west2": 168,
    "us-west3": 180,
    "us-west4": 182,
}
_ON_REQUEST = frozenset({"me-central2", "us-central2", "us-east7", "us-west8"})
_FIRST_OF_OTHERS = 228
"""Regions whose range is not documented follow from here."""


def ranges(regions: Iterable[str]) -> dict[str, str]:
    """Region → the range of its subnetwork, a /20 of 10.128.0.0/9."""
    open_to_all = sorted(set(regions) - _ON_REQUEST)
    others = [region for region in open_to_all if region not in _SECOND_OCTETS]
    octets = {**_SECOND_OCTETS, **{name: _FIRST_OF_OTHERS + 2 * i for i, name in enumerate(others)}}
    return {region: f"10.{octets[region]}.0.0/20" for region in open_to_all}
