"""Physical names: `<system>-<environment>-<role>`, checked before Google Cloud rejects them.

Logical names, by which Pulumi identifies resources, are short literals in the programs, without
system or environment.
"""

import re
import zlib
from dataclasses import dataclass

from gkeplatform.environment import Environment
from gkeplatform.errors import PlatformError

MAX_LENGTH = 63
"""Longest name of a compute resource, a bucket without dots and a Kubernetes label value."""
SERVICE_ACCOUNT = 30
"""Longest service account ID."""
CLUSTER = 40
"""Longest name of a GKE cluster and a node pool."""

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def digest(text: str) -> str:
    """Eight hexadecimal digits that tell texts apart at the end of a name; not a secret's."""
    return f"{zlib.crc32(text.encode()):08x}"


@dataclass(frozen=True, slots=True)
class Naming:
    """The physical names of one environment. They have no random suffix, so they are known."""

    environment: Environment

    @property
    def cluster(self) -> str:
        """The name of the GKE cluster."""
        return self.of("cluster", longest=CLUSTER)

    @property
    def prefix(self) -> str:
        """What every physical name of the environment begins with."""
        return self.of("x")[:-1]

    def of(self, role: str, *, longest: int = MAX_LENGTH) -> str:
        """The physical name for `role`. Raises `PlatformError` for one that Google rejects."""
        name = f"{self.environment.system}-{self.environment.name}-{role}"
        if len(name) > longest:
            raise PlatformError(
                f'physical name "{name}" has {len(name)} characters, and {longest} are allowed: '
                f'shorten platform:system or the name "{role}" in the stack file'
            )
        if not _NAME.fullmatch(name):
            raise PlatformError(
                f'physical name "{name}" is invalid: use lower-case letters, digits and hyphens, '
                f'begin with a letter and do not end with a hyphen; change "{role}"'
            )
        return name
