"""An order of lanes in which arrows cross few of them.

The best order is a minimum linear arrangement, which takes exponential time to find. Moving one lane at a time to its
best place finds it, or comes close, for as many lanes as a picture has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

__all__ = ["order_lanes"]

_MOST = 40  # more do not fit on any screen; then the search, quadratic in the lanes, would only cost time


def order_lanes(lanes: Iterable[str], arrows: Iterable[tuple[str, str]]) -> list[str]:
    """Return the lanes from left to right, the first one in the left half; `arrows` are pairs of lanes."""
    order = [*dict.fromkeys(lanes)]
    if not 2 < len(order) <= _MOST:
        return order
    first = order[0]
    pairs = Counter((min(pair), max(pair)) for pair in arrows)
    length, improved = _length(order, pairs), True
    while improved:
        improved = False
        for lane in sorted(order):
            rest = [other for other in order if other != lane]
            for place in range(len(order)):
                moved = [*rest[:place], lane, *rest[place:]]
                moved_length = _length(moved, pairs)
                if moved_length < length:
                    order, length, improved = moved, moved_length, True
    return order if order.index(first) < len(order) / 2 else order[::-1]


def _length(order: list[str], pairs: Mapping[tuple[str, str], int]) -> int:
    places = {lane: place for place, lane in enumerate(order)}
    return sum(count * abs(places[one] - places[other]) for (one, other), count in pairs.items())
