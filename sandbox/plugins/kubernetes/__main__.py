"""`python -m sandbox.plugins.kubernetes`, which the engine starts."""

from sandbox.plugins.kubernetes.plugin import KubernetesProvider
from sandbox.plugins.provider import serve

serve(KubernetesProvider())
