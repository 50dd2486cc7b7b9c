"""What the layers' programs declare, with no engine, account or sandbox.

`run_environment("dev")` runs the four programs on the real stack file against mocks and returns
the declared resources and outputs of each layer. `platformctl policy check` judges them; tests
assert on them. Nothing is judged or asserted here, and nothing is sent anywhere.
"""

from declared import sdk  # noqa: F401 (first: it loads the SDK quietly)
from declared.environment import (
    ROOT,
    STACKS,
    run_environment,
    run_layer,
    run_layers,
    stack_config,
)
from declared.program import declare
from declared.result import Declared

__all__ = [
    "ROOT",
    "STACKS",
    "Declared",
    "declare",
    "run_environment",
    "run_layer",
    "run_layers",
    "stack_config",
]
