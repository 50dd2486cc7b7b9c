"""`python -m sandbox.plugins.gcp`: started by the engine; prints its port."""

from sandbox.plugins.gcp.plugin import GcpProvider
from sandbox.plugins.provider import serve

serve(GcpProvider())
