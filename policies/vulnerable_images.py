"""Known, fixed vulnerabilities of model servers' images, as of 2026-11-26.

Each entry names the image, the release that fixes it, and its source in the National Vulnerability
Database. The list holds what matters to a server that callers reach: it is no scanner's database.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """A vulnerability and the release that fixes it."""

    id: str
    images: tuple[str, ...]
    """Last parts of the image names."""
    fixed_in: tuple[int, ...]
    what: str

    @property
    def url(self) -> str:
        """Return the source."""
        return f"https://nvd.nist.gov/vuln/detail/{self.id}"


_VLLM = ("vllm/vllm-openai",)
_TRITON = ("nvidia/tritonserver",)
_TORCHSERVE = ("pytorch/torchserve",)

VULNERABILITIES = (
    Vulnerability("CVE-2025-32444", _VLLM, (0, 8, 5), "remote code execution over Mooncake"),
    Vulnerability("CVE-2025-48956", _VLLM, (0, 10, 1, 1), "a request with large headers stops it"),
    Vulnerability("CVE-2025-59425", _VLLM, (0, 11, 0), "the API key leaks by the time of answers"),
    Vulnerability("CVE-2025-23310", _TRITON, (25, 7), "a chunked request overflows the stack"),
    Vulnerability("CVE-2025-23319", _TRITON, (25, 7), "remote code execution by shared memory"),
    Vulnerability("CVE-2023-43654", _TORCHSERVE, (0, 8, 2), "models are loaded from any URL"),
    Vulnerability("CVE-2024-37032", ("ollama/ollama",), (0, 1, 34), "remote code execution"),
    Vulnerability("CVE-2023-25668", ("tensorflow/serving",), (2, 11, 1), "heap out of bounds read"),
)  # fmt: skip

_VERSION = re.compile(r"v?(\d+(?:\.\d+)+)(?![\d.])")


def of_image(image: str) -> list[Vulnerability]:
    """Return the known vulnerabilities of an image, by its name and tag.

    A tag without a version, such as `latest` or a commit, has none: other rules refuse it.
    """
    name, _, tag = image.partition("@")[0].rpartition(":")
    found = _VERSION.match(tag)
    if not name or "/" in tag or found is None:
        return []
    version = tuple(int(part) for part in found[1].split("."))
    return [
        one
        for one in VULNERABILITIES
        if version < one.fixed_in and any(f"/{name}".endswith(f"/{own}") for own in one.images)
    ]
