"""`python -m sandbox.plugins.random`, which the engine starts."""

from sandbox.plugins.provider import serve
from sandbox.plugins.random.plugin import RandomProvider

serve(RandomProvider())
