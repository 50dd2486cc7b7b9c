"""What the committed environments declare, once for all tests of a process. Not a test.

Do not change what it returns: other tests see it.
"""

from __future__ import annotations

from functools import cache

from declared import Declared, run_environment


@cache
def environment_run(environment: str) -> dict[str, Declared]:
    """Every layer of the environment's own stack file, by the layer's name."""
    return run_environment(environment)
