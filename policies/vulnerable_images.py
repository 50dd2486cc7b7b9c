"""Known, fixed vulnerabilities of model servers' images, as of 2026-11-26.

The list holds what matters to a server that callers reach: critical and high ones, and those with
which any caller stops the server. It is no scanner's database. Affected versions, fixes and dates
are those of the CVE records (`Vulnerability.url`) and, for vLLM since October 2026, SGLang and
Triton, of the projects' own advisories.
"""

import re
from dataclasses import dataclass

AS_OF = "2026-11-26"


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """A vulnerability and the release that fixes it."""

    id: str
    images: tuple[str, ...]
    """Image names with their owner on a public registry."""
    since: tuple[int, ...]
    """The first affected version; empty if all before the fix are."""
    fixed_in: tuple[int, ...]
    published: str
    what: str

    @property
    def url(self) -> str:
        """Return the source."""
        return f"https://nvd.nist.gov/vuln/detail/{self.id}"


_VLLM = ("vllm/vllm-openai",)
_TRITON = ("nvidia/tritonserver",)
_TORCHSERVE = ("pytorch/torchserve", "pytorch/torchserve-kfs")
_TENSORFLOW = ("tensorflow/serving",)
_OLLAMA = ("ollama/ollama",)
_SGLANG = ("lmsysorg/sglang",)
_TGI = ("huggingface/text-generation-inference",)
_RAY = ("rayproject/ray", "rayproject/ray-ml", "rayproject/ray-llm")

VULNERABILITIES = tuple(
    Vulnerability(*row)
    for row in (
        ("CVE-2025-32444", _VLLM, (0, 6, 5), (0, 8, 5), "2025-04-30",
         "remote code execution over Mooncake"),
        ("CVE-2025-47277", _VLLM, (0, 6, 5), (0, 8, 5), "2025-05-20",
         "remote code execution over PyNcclPipe"),
        ("CVE-2025-48956", _VLLM, (0, 1, 0), (0, 10, 1, 1), "2025-08-21",
         "a request with a large header stops it"),
        ("CVE-2025-59425", _VLLM, (), (0, 11, 0), "2025-10-07",
         "the API key leaks by the time of answers"),
        ("CVE-2025-62164", _VLLM, (0, 10, 2), (0, 11, 1), "2025-11-21",
         "prompt embeddings corrupt its memory"),
        ("CVE-2025-66448", _VLLM, (), (0, 11, 1), "2025-12-01",
         "a model runs code without trust_remote_code"),
        ("CVE-2026-22807", _VLLM, (0, 10, 1), (0, 14, 0), "2026-01-21",
         "a model runs code without trust_remote_code"),
        ("CVE-2026-22778", _VLLM, (0, 8, 3), (0, 14, 1), "2026-02-02",
         "remote code execution by an image"),
        ("CVE-2026-27893", _VLLM, (0, 10, 1), (0, 18, 0), "2026-03-27",
         "a model runs code without trust_remote_code"),
        ("CVE-2026-34756", _VLLM, (0, 1, 0), (0, 19, 0), "2026-04-06",
         "a request with a large n stops it"),
        ("CVE-2026-105757", _VLLM, (), (0, 30, 0), "2026-10-06",
         "a request for structured output stops it"),
        ("CVE-2026-115911", _VLLM, (0, 19, 0), (0, 32, 0), "2026-10-29",
         "a chat template of a request stops it"),
        ("CVE-2025-23310", _TRITON, (), (25, 7), "2025-08-06", "a request overflows the stack"),
        ("CVE-2025-23319", _TRITON, (), (25, 7), "2025-08-06", "a request writes out of bounds"),
        ("CVE-2025-23316", _TRITON, (), (25, 8), "2025-09-17",
         "remote code execution by a model's name"),
        ("CVE-2025-33201", _TRITON, (), (25, 10), "2025-12-03", "a large request stops it"),
        ("CVE-2026-24173", _TRITON, (), (26, 2), "2026-04-07", "a malformed request stops it"),
        ("CVE-2026-24207", _TRITON, (), (26, 3), "2026-05-19", "authentication is bypassed"),
        ("CVE-2026-47625", _TRITON, (), (26, 4), "2026-09-08",
         "a check of authorization is missing"),
        ("CVE-2026-16497", _TRITON, (), (26, 7), "2026-09-08", "a request keeps it busy"),
        ("CVE-2023-43654", _TORCHSERVE, (0, 1, 0), (0, 8, 2), "2023-09-28",
         "models are loaded from any URL"),
        ("CVE-2023-25668", _TENSORFLOW, (), (2, 11, 1), "2023-03-24",
         "a model reads the heap out of bounds"),
        ("CVE-2024-37032", _OLLAMA, (), (0, 1, 34), "2024-05-31",
         "a registry writes files outside the models"),
        ("CVE-2024-45436", _OLLAMA, (), (0, 1, 47), "2024-08-29",
         "an archive writes files outside the models"),
        ("CVE-2026-103663", _OLLAMA, (0, 34, 2), (0, 35, 0), "2026-10-08",
         "a registry writes files outside the models"),
        ("CVE-2026-3059", _SGLANG, (), (0, 5, 10), "2026-03-12",
         "remote code execution over ZeroMQ"),
        ("CVE-2026-3060", _SGLANG, (), (0, 5, 10), "2026-03-12",
         "remote code execution by the encoder's port"),
        ("CVE-2026-0599", _TGI, (), (3, 3, 7), "2026-02-02",
         "an image in a prompt exhausts its memory"),
        ("CVE-2023-6019", _RAY, (), (2, 8, 1), "2023-11-16",
         "remote code execution by the dashboard"),
        ("CVE-2025-62593", _RAY, (), (2, 52, 0), "2025-11-26",
         "remote code execution by the dashboard"),
    )
)  # fmt: skip

_BY_LAST_PART: dict[str, list[Vulnerability]] = {}
for _one in VULNERABILITIES:
    for _part in {_image.rpartition("/")[2] for _image in _one.images}:
        _BY_LAST_PART.setdefault(_part, []).append(_one)

_VERSION = re.compile(r"v?(?P<release>\d+(?:\.\d+)+)(?P<pre>\.?(?:a|b|rc|dev)\d+)?(?![\d.]*\d)")
_PUBLIC = {"docker.io", "index.docker.io", "ghcr.io", "nvcr.io", "quay.io", "public.ecr.aws"}
_OWN_NAMES = {"serving", "ray"}
"""Last parts that other images have too."""


def of_image(image: str) -> list[Vulnerability]:
    """Return the known vulnerabilities of an image, by its name and tag.

    A tag without a version, such as `latest` or a commit, has none: other rules refuse it.
    """
    name, _, tag = image.partition("@")[0].rpartition(":")
    found = _VERSION.match(tag)
    if not name or "/" in tag or found is None:
        return []
    version = _comparable(tuple(int(part) for part in found["release"].split(".")))
    return [
        one
        for one in _BY_LAST_PART.get(name.rpartition("/")[2], ())
        if _comparable(one.since) <= version
        and (version < (fixed := _comparable(one.fixed_in)) or (version == fixed and found["pre"]))
        and any(_is_copy(name, own) for own in one.images)
    ]


def _comparable(version: tuple[int, ...]) -> tuple[int, ...]:
    """Return a version without zeros at its end: 0.11 is 0.11.0."""
    while version and version[-1] == 0:
        version = version[:-1]
    return version


def _is_copy(name: str, own: str) -> bool:
    """Whether a name is an image's own, or that of its copy in a private registry."""
    if f"/{name}".endswith(f"/{own}"):
        return True
    host, _, path = name.partition("/")
    last = own.rpartition("/")[2]
    is_private = ("." in host or ":" in host) and host not in _PUBLIC
    return is_private and last not in _OWN_NAMES and path.rpartition("/")[2] == last
