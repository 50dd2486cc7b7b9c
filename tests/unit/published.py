"""What the networking layer published last, for tests of its certificates. Not a test."""

from __future__ import annotations

from collections.abc import Iterable

from gkeplatform.contracts import NetworkingContract, ServedCertificate


def networking(
    *, mapped: Iterable[str] = (), classic: Iterable[ServedCertificate] = ()
) -> NetworkingContract:
    """A contract without models, with classic certificates or the domains of a map."""
    return NetworkingContract(
        cluster="c",
        address="192.0.2.1",
        url="https://a.acme.example",
        url_map="m",
        static_bucket="b",
        models=(),
        certificates=tuple(classic),
        mapped=tuple(mapped),
    )
