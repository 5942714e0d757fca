"""The checkers find what they are named after, and nothing in a good history."""

from __future__ import annotations

import pytest
from support.checkers import Polled, Sent, anomalies, gaps

GOOD_SENT = [Sent("p", "a", ("t", 0, 0)), Sent("q", "b", ("t", 0, 1)), Sent("p", "c", ("t", 0, 2))]
GOOD_POLLED = {"c": [Polled("a", ("t", 0, 0)), Polled("b", ("t", 0, 1)), Polled("c", ("t", 0, 2))]}


def polled(*offsets_and_values: tuple[int, str]) -> dict[str, list[Polled]]:
    return {"c": [Polled(value, ("t", 0, offset)) for offset, value in offsets_and_values]}


def test_a_good_history_has_no_anomalies() -> None:
    assert anomalies(GOOD_SENT, GOOD_POLLED) == []
    assert gaps(GOOD_SENT, {("t", 0): 3}) == []


@pytest.mark.parametrize(
    ("name", "sent", "got"),
    [
        ("inconsistent-offsets", GOOD_SENT, polled((0, "a"), (1, "x"), (2, "c"))),
        ("duplicate", GOOD_SENT, polled((0, "a"), (1, "b"), (2, "c"), (3, "a"))),
        ("lost-write", GOOD_SENT, polled((0, "a"), (2, "c"))),
        ("unseen", GOOD_SENT, polled((0, "a"), (1, "b"))),
        ("aborted-read", [*GOOD_SENT, Sent("p", "d", None, failed=True)], polled((3, "d"))),
        ("never-sent", GOOD_SENT, polled((3, "x"))),
        ("nonmonotonic-poll", GOOD_SENT, polled((0, "a"), (1, "b"), (0, "a"), (1, "b"), (2, "c"))),
        ("poll-skip", GOOD_SENT, polled((0, "a"), (2, "c"))),
        ("nonmonotonic-send", [*GOOD_SENT, Sent("p", "d", ("t", 0, 1))], GOOD_POLLED),
    ],
)
def test_an_anomaly_is_found_by_its_name(name: str, sent: list[Sent], got: dict[str, list[Polled]]) -> None:
    assert any(problem.startswith(name) for problem in anomalies(sent, got))


def test_a_gap_is_found() -> None:
    assert gaps(GOOD_SENT, {("t", 0): 4}) == ["gap: t/0 has nothing at 3"]
