"""What can be judged without the engine: manifests, stack exports, clusters as the API tells them.

Each module turns one sort of file into the resources that rules are about.
"""

from policies.sources.files import UnreadableError, read

__all__ = ["UnreadableError", "read"]
