"""Checks that a model's server answers on the paths that callers use."""

from collections.abc import Iterable, Mapping

from gkeplatform.config import suggestion
from infra.serving.exposures.base import Server

_FEW = 4
"""Paths that a message lists in full."""


def check(server: Server, paths: Iterable[str], rewrites: Mapping[str, str]) -> None:
    """`ValueError` for a path that the server would answer with 404."""
    roots = server.served_paths
    for index, path in enumerate(paths):
        reached = rewrites.get(path, path)
        if any(_is_within(reached, root) or _is_within(root, reached) for root in roots):
            continue
        key = f"rewrites.{path}" if path in rewrites else f"paths[{index}]"
        raise ValueError(
            f'exposure.{key}: {server.server} answers for "{server.name}" on '
            f"{_listed(roots)} and below, not on {reached}; {_remedy(server, path, rewrites)}"
        )


def _is_within(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root.rstrip('/')}/")


def _listed(roots: tuple[str, ...]) -> str:
    more = f" and {len(roots) - _FEW} other paths" if len(roots) > _FEW else ""
    return ", ".join(roots[:_FEW]) + more


def _remedy(server: Server, path: str, rewrites: Mapping[str, str]) -> str:
    roots = server.served_paths
    if server.server == "custom":
        return "add it to custom.also if the server knows it"
    if path in rewrites:
        return f"rewrite it to {roots[0]}" if len(roots) == 1 else suggestion(rewrites[path], roots)
    if len(roots) > 1:
        return f"{suggestion(path, roots)}; server: custom takes any other"
    return f"claim {roots[0]}, or set rewrites: {{{path}: {roots[0]}}}"


def check_services(server: Server, paths: Iterable[str]) -> None:
    """`ValueError` for a path that is none of the server's gRPC services."""
    known = [f"/{service}" for service in server.grpc_services]
    for index, path in enumerate(paths):
        if known and not any(_is_within(path, root) for root in known):
            raise ValueError(
                f"exposure.paths[{index}]: {server.server} has no gRPC service {path}; "
                f"{suggestion(path, known)}"
            )
