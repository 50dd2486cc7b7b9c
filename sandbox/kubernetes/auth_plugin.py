"""The sandbox's gke-gcloud-auth-plugin: gives kubectl and the programs the sandbox's token.

It is a shell script because it runs for every client, and Python would take longer to start.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

NAME = "gke-gcloud-auth-plugin"

_SCRIPT = r"""#!/bin/sh
# Google's plugin of this name asks Google for a token; this one has the sandbox's.
set -eu
case "${1:-}" in
--version | version) echo "Kubernetes sandbox"; exit 0 ;;
esac
file=%(token)s
[ -z "${PLATFORM_SANDBOX_HOME:-}" ] || file="$PLATFORM_SANDBOX_HOME/token"
if ! read -r token <"$file" && [ -z "${token:-}" ]; then
  echo "%(name)s: no token in $file; start the sandbox: ./platformctl sandbox start" >&2
  exit 1
fi
version=client.authentication.k8s.io/v1beta1
case "${KUBERNETES_EXEC_INFO:-}" in
*client.authentication.k8s.io/v1\"*) version=client.authentication.k8s.io/v1 ;;
esac
printf '{"kind":"ExecCredential","apiVersion":"%%s","status":{"token":"%%s"}}\n' "$version" "$token"
"""


def script(token_file: Path) -> str:
    """Return the script. PLATFORM_SANDBOX_HOME, if set, overrides the token file's folder."""
    return _SCRIPT % {"token": shlex.quote(str(token_file)), "name": NAME}


def install(binaries: Path, *, token_file: Path) -> Path:
    """Write the plugin into a folder on the PATH."""
    binaries.mkdir(parents=True, exist_ok=True)
    path = binaries / NAME
    draft = path.with_name(f".{NAME}.{os.getpid()}")
    draft.write_text(script(token_file))
    draft.chmod(0o755)
    draft.replace(path)
    return path
