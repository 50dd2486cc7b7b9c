"""URL map patterns of a model's paths, and clashes between two models.

A pattern of a path rule ends in `*` only after a slash, so `/v1/models/resnet/*` does not match
`/v1/models/resnet:predict`. Each verb of the model server is therefore a pattern of its own. A
prefix would match them all, but would also send `/v1/models/resnet50` to `resnet`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

ANY_HOST = "*"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path itself, the path with a verb, or everything below the path."""

    path: str
    verb: str = ""
    is_below: bool = False

    def __str__(self) -> str:
        """As a path rule of a URL map spells it."""
        if self.is_below:
            return f"{self.path}/*"
        return f"{self.path}:{self.verb}" if self.verb else self.path


def expand(path: str, verbs: Iterable[str]) -> tuple[Pattern, ...]:
    """Every pattern of one path of a model whose server knows `verbs`."""
    return (
        Pattern(path),
        Pattern(path, is_below=True),
        *(Pattern(path, verb=verb) for verb in verbs),
    )


def patterns(paths: Iterable[str], verbs: Iterable[str]) -> tuple[str, ...]:
    """The patterns of all paths, as a URL map spells them."""
    known = tuple(verbs)
    return tuple(str(pattern) for path in paths for pattern in expand(path, known))


def public_path(path: str, paths: Iterable[str], rewrites: Mapping[str, str]) -> str | None:
    """The path on the load balancer that reaches `path` of the server; None if none does."""
    for claimed in paths:
        root = rewrites.get(claimed, claimed).rstrip("/")
        if path == root or path.startswith(f"{root}/"):
            return claimed + path.removeprefix(root)
    return None


def clash(
    one_hosts: Sequence[str],
    one_patterns: Iterable[str],
    other_hosts: Sequence[str],
    other_patterns: Iterable[str],
) -> tuple[str, str] | None:
    """A host and a pattern that two models both claim; no hosts means every host."""
    shared = sorted(set(one_patterns) & set(other_patterns))
    if not shared:
        return None
    if not one_hosts or not other_hosts:
        return (*one_hosts, *other_hosts, ANY_HOST)[0], shared[0]
    hosts = sorted(set(one_hosts) & set(other_hosts))
    return (hosts[0], shared[0]) if hosts else None
