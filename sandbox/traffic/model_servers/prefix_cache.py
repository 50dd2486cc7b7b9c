"""The prefix cache of a vLLM server: whole blocks of a prompt that an earlier prompt began with.

A block's key covers all that precedes it, as vLLM's does; the least recently used go first. Tokens
are words, as everywhere in the sandbox's servers.
Source: https://docs.vllm.ai/en/stable/design/prefix_caching/
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

BLOCK_SIZE = 16
"""Tokens of a block; vLLM's default."""
BLOCKS = 8192
"""Blocks of a server."""


class PrefixCache:
    """What one server has computed, and how often that was of use."""

    def __init__(self, blocks: int = BLOCKS) -> None:
        self._room = blocks
        self._blocks: OrderedDict[int, None] = OrderedDict()
        self.queries = 0
        """Tokens that were looked up."""
        self.hits = 0
        """Tokens that were found."""

    def take(self, model: str, tokens: Sequence[str]) -> None:
        """Look a prompt up, and keep its blocks."""
        self.queries += len(tokens)
        key, is_known = hash(model), True
        for start in range(0, len(tokens) - BLOCK_SIZE + 1, BLOCK_SIZE):
            key = hash((key, *tokens[start : start + BLOCK_SIZE]))
            is_known = is_known and key in self._blocks
            if is_known:
                self.hits += BLOCK_SIZE
            self._blocks[key] = None
            self._blocks.move_to_end(key)
        while len(self._blocks) > self._room:
            self._blocks.popitem(last=False)
