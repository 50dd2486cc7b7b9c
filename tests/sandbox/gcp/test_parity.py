"""The emulator's answers equal Google's in every available recording."""

from __future__ import annotations

import asyncio

import pytest

from cli import recordings
from tests.sandbox.gcp import likeness, parity, recorded

RECORDINGS = sorted(parity.FOLDER.glob("*.http.log"))


@pytest.mark.skipif(not RECORDINGS, reason=recordings.notice())
def test_answers_agree_with_the_recordings(capsys: pytest.CaptureFixture[str]) -> None:
    scores = asyncio.run(parity.score_all(RECORDINGS))
    with capsys.disabled():
        print("\n" + parity.table(scores))
    whole = parity.total(scores)
    unlike = [d for s in scores.values() for d in s.differences if " outcome " in d]
    assert not unlike, "\n".join(unlike)
    assert whole.recall >= 0.99
    assert whole.precision >= 0.995
    assert whole.values >= 0.97


LOG = """\
POST https://compute.googleapis.com/compute/v1/projects/${projectId}/global/networks
Content-Type: application/json

{
  "name": "${networkID}"
}

200 OK
Content-Type: application/json; charset=UTF-8

{
  "status": "RUNNING"
}

---

DELETE https://storage.googleapis.com/storage/v1/b/b-${uniqueId}

204 No Content
Content-Type: application/json

"""


def test_a_log_is_read_exchange_by_exchange() -> None:
    made, deleted = recorded.parse(LOG)
    assert (made.verb, made.status) == ("POST", 200)
    assert made.body == {"name": "${networkID}"}
    assert made.answer == {"status": "RUNNING"}
    assert (deleted.verb, deleted.status, deleted.body, deleted.answer) == (
        "DELETE",
        204,
        None,
        None,
    )


def test_a_missing_an_added_and_a_changed_field_each_cost() -> None:
    score = likeness.Score()
    likeness.compare({"a": 1, "b": 2, "id": "0"}, {"a": 3, "c": 2, "id": "17"}, score, "")
    assert (score.recall, score.precision) == (2 / 3, 2 / 3)
    assert score.values == 1 / 3
