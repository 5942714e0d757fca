"""Coverage: the offsets that were added, kept as ranges."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from odradek_domain.values.positions import TopicPartition
from odradek_simulation.checkers.coverage import Coverage

PLACE = TopicPartition("t", 0)
SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8)).map(lambda each: (each[0], each[0] + each[1])))


@given(SPANS, st.integers(0, 40), st.integers(0, 10))
def test_coverage_answers_as_a_set_of_offsets_would(spans: list[tuple[int, int]], begin: int, size: int) -> None:
    coverage, offsets, repeats = Coverage(), set[int](), 0
    for low, high in spans:
        before = offsets & {*range(low, high)}
        assert {*_listed(coverage.add(PLACE, low, high))} == before
        repeats += len(before)
        offsets |= {*range(low, high)}
    wanted = range(begin, begin + size)
    assert _listed(coverage.common(PLACE, begin, begin + size)) == [each for each in wanted if each in offsets]
    assert _listed(coverage.missing(PLACE, begin, begin + size)) == [each for each in wanted if each not in offsets]
    assert (coverage.added, coverage.repeated) == (len(offsets), repeats)
    assert coverage.end(PLACE) == max(offsets, default=-1) + 1


def test_partitions_are_counted_apart() -> None:
    coverage = Coverage()
    coverage.add(PLACE, 0, 3)
    assert coverage.missing(TopicPartition("t", 1), 0, 3) == [range(3)]
    assert coverage.end(TopicPartition("u", 0)) == 0


def _listed(spans: list[range]) -> list[int]:
    return [offset for span in spans for offset in span]
