"""`kill -9` at random moments of a rehearsal: the next one completes it, and nothing is lost.

`PLATFORM_KILLS=30 pytest -n 0 tests/rehearsal/test_kills.py` kills thirty times.
`PLATFORM_KILLS_SEED` chooses other moments. Without it, `test_interruptions.py` has a few.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.rehearsal import inventories, kills
from tests.rehearsal.workspace import Workspace, workspace_in

NUMBER = int(os.environ.get("PLATFORM_KILLS", "0"))
SEED = int(os.environ.get("PLATFORM_KILLS_SEED", "1"))
EACH = 6  # kills of one deployment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("rehearsal"),
    pytest.mark.skipif(not NUMBER, reason="PLATFORM_KILLS is not set"),
]


@pytest.fixture(scope="module")
def expected(workspace: Workspace) -> tuple[dict[str, int], inventories.Inventory]:
    """The steps of each layer, and everything that there is, after an uninterrupted rehearsal."""
    done = workspace.platformctl("rehearse", "dev")
    return kills.steps_of(done.stdout + done.stderr), inventories.inventory(workspace)


@pytest.mark.parametrize("seed", range(SEED, SEED + -(-NUMBER // EACH)))
def test_nothing_is_lost_and_nothing_is_there_twice(
    seed: int, expected: tuple[dict[str, int], inventories.Inventory], tmp_path: Path
) -> None:
    steps, inventory = expected
    mine = workspace_in(tmp_path)
    try:
        run = kills.Kills(mine, steps)
        for moment in kills.moments(seed, EACH):
            if run.kill(moment) == 0:
                break  # its part had done its work, and nothing is left to kill
        run.complete()
        found = inventories.inventory(mine)
        assert found.differences(inventory) == [], [str(one) for one in run.hit]
        assert inventories.twice(found) == []
        assert run.hit
    finally:
        mine.platformctl("sandbox", "reset", check=False)
