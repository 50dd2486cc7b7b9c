"""The touched layers as a Mermaid flowchart, which GitHub draws in a comment.

GitHub removes SVG elements from comments; of the pictures that need no file elsewhere, it draws
Mermaid only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cli.impact.touched import LOST, Touched

_PLAIN = re.compile(r"[^\w .,:()/%-]", re.ASCII)
_CLASSES = {
    LOST: "fill:#ffebe9,stroke:#b42318,stroke-width:3px,color:#1b1f24",
    "deleted": "fill:#ffebe9,stroke:#b42318,color:#1b1f24",
    "replaced": "fill:#fff8c5,stroke:#9a6700,stroke-width:3px,color:#1b1f24",
    "created": "fill:#dafbe1,stroke:#1a7f37,color:#1b1f24",
    "changed": "fill:#ddf4ff,stroke:#0550ae,color:#1b1f24",
}


def flowchart(environment: str, layers: Sequence[Touched]) -> str:
    """The fenced block; empty where nothing is touched."""
    if not any(one.items for one in layers):
        return ""
    return "\n".join(["```mermaid", *_lines(environment, layers), "```"])


def _lines(environment: str, layers: Sequence[Touched]) -> Iterator[str]:
    yield "flowchart LR"
    # Mermaid shows its codes as they are in these two lines.
    yield f"accTitle: Impact on {_PLAIN.sub(' ', environment)}"
    told = ". ".join(f"{one.layer}, {one.summary}" for one in layers)
    yield f"accDescr: {_PLAIN.sub(' ', told)}"
    for state, style in _CLASSES.items():
        yield f"classDef {state} {style}"
    for index, one in enumerate(layers):
        label = f'layer{index}["{_escaped(f"{one.layer}: {one.summary}")}"]'
        if not one.items:
            yield label
            continue
        yield f"subgraph {label}"
        for number, item in enumerate(one.items):
            text = _escaped(f"{item.state}: {item.text}")
            yield f'item{index}x{number}["{text}"]:::{item.state}'
        yield "end"
    for index in range(1, len(layers)):
        yield f"layer{index - 1} ==> layer{index}"


def _escaped(text: str) -> str:
    """The text with Mermaid's, Markdown's and HTML's characters as Mermaid's codes of them."""
    return _PLAIN.sub(lambda found: f"#{ord(found[0])};", " ".join(text.split()))
