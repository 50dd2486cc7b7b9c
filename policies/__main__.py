"""The policy pack as the engine starts it; its rules are listed in `policies.registry`."""

from policies.registry import pack
from policies.server import serve

serve(pack)
