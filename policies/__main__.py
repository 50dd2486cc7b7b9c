"""Entry point of the policy pack for the engine. The rules are in `policies.registry`."""

from policies.registry import pack
from policies.server import serve

serve(pack)
