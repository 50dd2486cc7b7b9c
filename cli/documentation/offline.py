"""Makes a built site ask for nothing elsewhere: its search, and its diagrams in Mermaid.

Zensical would fetch two scripts when a page is viewed: one that lets its search run from a folder,
which is `worker.js` here, and Mermaid, which the package mermaidx brings. Mermaid is large, so only
pages with a diagram load it.
"""

from __future__ import annotations

import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from cli.errors import CliError

_WORKER, _MERMAID = "assets/javascripts/worker.js", "assets/javascripts/mermaid.js"
_SHIM = re.compile(r'<script[^>]*src="https://[^"]*iframe-worker[^"]*"[^>]*></script>')
_DIAGRAM = 'class="mermaid"'
_FOREIGN = re.compile(r'<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="(https?://[^"]+)"')
_LINK = re.compile(r'<link\b[^>]*rel="(?:canonical|next|prev|alternate)"[^>]*>')


def complete(site: Path) -> None:
    """Add the scripts. Raises CliError where a page would still fetch something."""
    shutil.copyfile(Path(__file__).with_name("worker.js"), site / _WORKER)
    shutil.copyfile(_mermaid(), site / _MERMAID)
    for page in sorted(site.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        text = _SHIM.sub(_script(page, site / _WORKER), text)
        if _DIAGRAM in text:
            # Before the theme's own scripts, which take it as it is.
            text = text.replace("</head>", f"{_script(page, site / _MERMAID)}</head>", 1)
        if found := _FOREIGN.search(_LINK.sub("", text)):
            raise CliError(f"{page.relative_to(site)} of the site would fetch {found[1]}")
        page.write_text(text, encoding="utf-8")


def _script(page: Path, script: Path) -> str:
    return f'<script src="{os.path.relpath(script, page.parent)}"></script>'


def _mermaid() -> Path:
    spec = find_spec("mermaidx")
    file = Path(spec.origin).parent / "assets" / "mermaid.js" if spec and spec.origin else None
    if file is None or not file.exists():
        raise CliError(
            "mermaidx, which brings Mermaid, is not installed or has it elsewhere",
            ".venv/bin/pip install --require-hashes -r requirements-docs.lock",
        )
    return file
