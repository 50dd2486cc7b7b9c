"""The order in which a change is deployed to the environments.

It follows from `platform:promoted_from` in the stack files, as the order of the layers follows from
the contracts that they read. CI deploys the environments in this order.
"""

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from gkeplatform import stack_values
from gkeplatform.config import suggestion
from gkeplatform.environment import NAMESPACE, environments, file_of
from gkeplatform.errors import PlatformError

KEY = f"{NAMESPACE}:promoted_from"


def order(root: Path) -> list[str]:
    """The environments of the repository, each after the one that it is promoted from.

    Raises `PlatformError` for a key that names no environment, and for a cycle.
    """
    names = environments(root)
    before: dict[str, list[str]] = {}
    for name in names:
        source = stack_values.read(name, root=root).get(KEY)
        if source is not None and source not in names:
            raise PlatformError(
                f'{file_of(name)}: {KEY}: there is no environment "{source}"; '
                f"{suggestion(source, names)}"
            )
        before[name] = [] if source is None else [source]
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        cycle = " -> ".join(reversed(error.args[1]))
        raise PlatformError(f"{KEY}: a cycle of environments: {cycle}; remove one") from None
