"""Physical names: `<system>-<environment>-<role>`, checked before Google Cloud would refuse them.

Physical names are what Google Cloud shows. Logical names, by which Pulumi tells resources apart,
are short literals in the programs and are not made here: they hold neither environment nor system.
"""

import re
from dataclasses import dataclass

from gkeplatform.environment import Environment
from gkeplatform.errors import PlatformError

MOST = 63
"""Longest name of a compute resource, a bucket without dots, a Kubernetes label value."""
SERVICE_ACCOUNT = 30
"""Longest service account id."""
CLUSTER = 40
"""Longest name of a GKE cluster and of a node pool."""

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Naming:
    """Makes the physical names of one environment. No random suffix, so that a name is known."""

    environment: Environment

    def of(self, role: str, *, longest: int = MOST) -> str:
        """The physical name of what plays `role`; refused where it is too long or ill-formed."""
        name = f"{self.environment.system}-{self.environment.name}-{role}"
        if len(name) > longest:
            raise PlatformError(
                f'physical name "{name}" has {len(name)} characters where {longest} are allowed: '
                f'shorten platform:system or the name "{role}" in the stack file'
            )
        if not _NAME.fullmatch(name):
            raise PlatformError(
                f'physical name "{name}" is not one that Google Cloud takes: lower-case letters, '
                f'digits and hyphens, a letter first and no hyphen last; change "{role}"'
            )
        return name
