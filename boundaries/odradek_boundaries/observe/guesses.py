"""Guesses about units: which might be merged, and which might be split.

The thresholds are those of this project; the refactorings are Context Mapper's: merge aggregates (AR-6), split by
entities (AR-1), extract by cohesion (AR-5). They remain guesses, since a log has what decisions wrote, and not what
they read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import permutations

from odradek_boundaries.observe.figures import Merge, Pattern, Split, TagUse

__all__ = ["MERGE_SHARE", "SPLIT_SHARE", "merges", "splits"]

MERGE_SHARE = 0.5
"""Of the conversations that touch a kind of unit, those that touch exactly one unit of the other kind."""
SPLIT_SHARE = 0.95
"""Of the decisions in a kind of unit, those that have exactly one value of the tag."""


def merges(patterns: Iterable[Pattern], meets_several: Callable[[str, str], bool]) -> tuple[Merge, ...]:
    """Return the pairs of kinds that might be merged, each in the direction with the higher share."""
    conversations: Counter[str] = Counter()
    with_one: Counter[tuple[str, str]] = Counter()
    for pattern in patterns:
        conversations.update(dict.fromkeys(pattern.kinds, pattern.conversations))
        for kind, other in permutations(pattern.kinds, 2):
            if other not in pattern.several:
                with_one[kind, other] += pattern.conversations
    best: dict[frozenset[str], Merge] = {}
    for (kind, other), count in sorted(with_one.items()):
        merge = Merge(kind, other, conversations[kind], count, meets_several(kind, other), meets_several(other, kind))
        pair = frozenset((kind, other))
        if merge.share >= MERGE_SHARE and (pair not in best or merge.share > best[pair].share):
            best[pair] = merge
    return tuple(sorted(best.values(), key=lambda merge: (-merge.share, merge.kind, merge.other)))


def splits(uses: Iterable[TagUse]) -> tuple[Split, ...]:
    """Return the tags by which units of a kind might be split: those with several values in a unit."""
    found = [
        Split(use.kind, use.tag, use.decisions, use.with_one, use.values)
        for use in uses
        if use.divides and use.decisions and use.with_one >= SPLIT_SHARE * use.decisions
    ]
    return tuple(sorted(found, key=lambda split: (-split.share, split.kind, split.tag)))
