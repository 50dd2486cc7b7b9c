"""Which URLs a model answers, in the URL map's own patterns.

A URL map's path ends in `*` only after a slash, so `/v1/models/resnet/*` does not match
`/v1/models/resnet:predict`. Each verb of the model server is therefore a pattern of its own;
a prefix match would do, and would also hand `/v1/models/resnet50` to `resnet`. Only where the
patterns are more than a path matcher holds are they said as prefixes, the longest first.
"""

from collections.abc import Iterable, Sequence

ANY_HOST = "*"


def patterns(paths: Iterable[str], verbs: Iterable[str]) -> tuple[str, ...]:
    """Every pattern of a model that claims `paths` and whose server knows `verbs`."""
    said = tuple(verbs)
    return tuple(
        pattern
        for path in paths
        for pattern in (path, f"{path}/*", *(f"{path}:{verb}" for verb in said))
    )


def clash(
    one_hosts: Sequence[str],
    one_patterns: Iterable[str],
    other_hosts: Sequence[str],
    other_patterns: Iterable[str],
) -> tuple[str, str] | None:
    """A host and a pattern that both claim; no hosts means every host."""
    shared = sorted(set(one_patterns) & set(other_patterns))
    if not shared:
        return None
    if not one_hosts or not other_hosts:
        return (*one_hosts, *other_hosts, ANY_HOST)[0], shared[0]
    hosts = sorted(set(one_hosts) & set(other_hosts))
    return (hosts[0], shared[0]) if hosts else None
