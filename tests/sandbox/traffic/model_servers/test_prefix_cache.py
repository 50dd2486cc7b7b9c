"""The prefix cache of a rehearsed vLLM server."""

from __future__ import annotations

from sandbox.traffic.model_servers.prefix_cache import BLOCK_SIZE, PrefixCache


def _words(name: str, count: int) -> list[str]:
    return [f"{name}{place}" for place in range(count)]


def test_whole_blocks_of_a_shared_prefix_are_found() -> None:
    cache = PrefixCache()
    shared = _words("a", 2 * BLOCK_SIZE)
    cache.take("m", [*shared, *_words("b", BLOCK_SIZE)])
    assert cache.hits == 0
    cache.take("m", [*shared, *_words("c", BLOCK_SIZE)])
    assert (cache.hits, cache.queries) == (2 * BLOCK_SIZE, 6 * BLOCK_SIZE)


def test_a_block_counts_only_after_the_same_blocks() -> None:
    cache = PrefixCache()
    block = _words("a", BLOCK_SIZE)
    cache.take("m", block)
    cache.take("m", [*_words("b", BLOCK_SIZE), *block])
    cache.take("other", block)
    cache.take("m", block[:-1])
    assert cache.hits == 0


def test_the_least_recently_used_go_first() -> None:
    cache = PrefixCache(blocks=2)
    one, two, three = (_words(name, BLOCK_SIZE) for name in "abc")
    for prompt in (one, two, one, three, one):
        cache.take("m", prompt)
    assert cache.hits == 2 * BLOCK_SIZE
    cache.take("m", two)
    assert cache.hits == 2 * BLOCK_SIZE
