"""The pack as a folder of its own, which `pulumi policy publish` uploads whole.

In the repository the pack imports its neighbours (`gkeplatform`, `facts`), and runs in the
repository's virtual environment. A published pack has neither: it runs from what was uploaded, with
the packages of its own requirements.txt.
"""

import re
import shutil
from pathlib import Path

from gkeplatform.environment import environments
from gkeplatform.errors import PlatformError

PACKAGES = ("facts", "gkeplatform", "policies")
REQUIREMENTS = ("msgspec", "pulumi", "pulumi-policy", "pyyaml")
"""What the pack imports. Each has the version of the repository's lock."""
_VIRTUALENV = re.compile(r"^(\s+virtualenv:) .*$", re.MULTILINE)


def write(root: Path, folder: Path) -> None:
    """Write the pack of a repository into a folder that is new or empty. Raises PlatformError.

    Stack files are written without their content: the pack needs the environments' names, for
    waivers, and the engine sends the configuration of the stack that it judges.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PlatformError(f"{folder}: not an empty folder; name one that is new or empty")
    for package in PACKAGES:
        hidden = shutil.ignore_patterns("__pycache__", "PulumiPolicy.yaml", "__main__.py")
        shutil.copytree(root / package, folder / package, ignore=hidden)
    shutil.copy(root / "policies" / "__main__.py", folder / "__main__.py")
    project = (root / "policies" / "PulumiPolicy.yaml").read_text(encoding="utf-8")
    (folder / "PulumiPolicy.yaml").write_text(_VIRTUALENV.sub(r"\1 venv", project), "utf-8")
    (folder / "requirements.txt").write_text(_requirements(root), encoding="utf-8")
    (folder / ".gitignore").write_text("venv\n__pycache__\n", encoding="utf-8")  # not uploaded
    stacks = folder / "stacks"
    stacks.mkdir()
    for name in environments(root):
        (stacks / f"Pulumi.{name}.yaml").write_text("config: {}\n", encoding="utf-8")


def _requirements(root: Path) -> str:
    locked = (root / "requirements.lock").read_text(encoding="utf-8")
    versions = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", locked, re.MULTILINE))
    return "".join(f"{name}=={versions[name]}\n" for name in REQUIREMENTS)
