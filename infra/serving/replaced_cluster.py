"""What to do about the objects of a cluster that was replaced since the last deployment."""

from collections.abc import Iterator, Mapping

from gkeplatform.contracts import ServingContract
from gkeplatform.engine_variables import FORGET


def advice(
    before: ServingContract | None, generation: str, environment: Mapping[str, str]
) -> Iterator[str]:
    """A warning where the objects of this layer were in another cluster; none if FORGET is set.

    `generation` is the present cluster's.
    """
    if before is None or environment.get(FORGET) == "true":
        return
    if before.generation and generation and before.generation != generation:
        yield (
            f"the cluster was replaced: the objects of this layer are created in the new one, and "
            f"those of the old one are gone with it. `platformctl up` forgets them; with Pulumi "
            f"alone run `{FORGET}=true pulumi up` in infra/serving this once"
        )
