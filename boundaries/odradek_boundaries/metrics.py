"""The metrics of a run, each with its formula and unit. `docs/BOUNDARIES.md` lists the same.

Exposed, stale, broken and late are four figures, since no one number for "missed invariants" is honest: with atomic
appends nothing stale means nothing broken, for every rule that the deciders keep one after the other. With facts that
follow in further appends it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from odradek_boundaries.run import Counts
from odradek_boundaries.schedule import Shape

__all__ = ["METRICS", "Metric", "gini", "metrics_of", "percentile"]


class Metric(msgspec.Struct, frozen=True):
    """A metric: its name, unit, whether low or high is better (None: neither), formula, and what it tells."""

    name: str
    unit: str
    better: Literal["low", "high"] | None
    formula: str
    tells: str


METRICS = (
    Metric("conflict_share", "%", "low", "refused appends / attempts", "contention"),
    Metric("unit_conflict_mean", "%", "low", "mean over units of their conflict share", "contention of a usual unit"),
    Metric("unit_conflict_p99", "%", "low", "99th percentile over units of their conflict share", "the worst units"),
    Metric("false_by_facts", "%", "low", "conflicts in which no fact of the read-set landed / conflicts", "too wide"),
    Metric(
        "false_by_decision", "%", "low", "conflicts after which the decision is the same / conflicts", "wasted retries"
    ),
    Metric("exposed", "appends", "low", "appends before which a fact of the read-set landed unchecked", "too narrow"),
    Metric("stale", "appends", "low", "exposed appends whose decision would have been another", "wrong decisions"),
    Metric("broken", "times", "low", "times that a declared invariant turned false", "broken invariants"),
    Metric(
        "late",
        "appends",
        "low",
        "appends decided while facts of another operation for the read-set were on their way",
        "the cost of sagas",
    ),
    Metric("wait_p50", "ms", "low", "median from arrival to start at the units' actors", "queueing behind actors"),
    Metric("wait_p99", "ms", "low", "99th percentile of the same", "queueing behind the busiest actors"),
    Metric("ceiling", "x", "high", "sum of service times / length of the order-kept schedule", "scalability"),
    Metric("span_mean", "units", "low", "mean of units read or written by a command", "how far decisions reach"),
    Metric(
        "span_several", "%", "low", "commands with more than one unit", "how often a saga or a multi-append is needed"
    ),
    Metric("hops", "per command", "low", "further appends / appended commands", "messages between units"),
    Metric("fan_out", "per command", None, "events / appended commands", "how much a command writes"),
    Metric("folded", "events", "low", "mean of the events of all units read for a decision", "the cost of replay"),
    Metric("fold_waste", "x", "low", "events folded / events of the read-sets", "replay for nothing"),
    Metric("length_max", "events", "low", "events of the longest unit", "need for snapshots"),
    Metric("length_p99", "events", "low", "99th percentile over units of their events", "need for snapshots"),
    Metric(
        "growth",
        "events/1000",
        "low",
        "events per 1000 commands by which the longest unit grew in the second half",
        "need for snapshots later",
    ),
    Metric("locality", "%", "high", "appending commands whose check contains what they read", "quality of the model"),
    Metric("load_gini", "", "low", "Gini coefficient of the commands per unit", "hot spots"),
    Metric("load_top", "%", "low", "commands of the busiest unit", "the hottest spot"),
    Metric("throughput", "per s", "high", "appended commands / time until the last answer", "what gets done"),
    Metric("refused", "commands", None, "commands that the decider refused", "the rules at work"),
    Metric("gave_up", "commands", "low", "commands dropped after the last try", "contention beyond retries"),
    Metric("unfoldable", "commands", "low", "commands whose read-set could not be folded", "a model that does not fit"),
)
"""Every metric, in the order of reports."""


def metrics_of(counts: Counts, shape: Shape) -> dict[str, float | int | None]:
    """Return every metric by name; None where it is not defined, such as the mailbox wait without units."""
    conflicts, appended = counts.conflicts, counts.appended
    total_load = sum(shape.loads)
    values: dict[str, float | int | None] = {
        "conflict_share": _percent(conflicts, counts.attempts),
        "unit_conflict_mean": _percent(sum(counts.conflict_rates), len(counts.conflict_rates)),
        "unit_conflict_p99": 100 * (percentile(counts.conflict_rates, 99) or 0.0),
        "false_by_facts": _percent(conflicts - counts.real, conflicts),
        "false_by_decision": _percent(counts.same_decision, conflicts),
        "exposed": counts.exposed,
        "stale": counts.stale,
        "broken": counts.broken,
        "late": counts.late,
        "wait_p50": percentile(shape.waits_ms, 50),
        "wait_p99": percentile(shape.waits_ms, 99),
        "ceiling": shape.ceiling,
        "span_mean": _ratio(sum(shape.spans), len(shape.spans)),
        "span_several": _percent(sum(span > 1 for span in shape.spans), len(shape.spans)),
        "hops": _ratio(counts.hops, appended),
        "fan_out": _ratio(counts.events, appended),
        "folded": _ratio(counts.folded, counts.decided),
        "fold_waste": _ratio(counts.folded, counts.needed),
        "length_max": percentile(shape.lengths, 100),
        "length_p99": percentile(shape.lengths, 99),
        "growth": shape.growth,
        "locality": _percent(shape.kept, len(shape.spans)),
        "load_gini": gini(shape.loads),
        "load_top": _percent(shape.loads[-1] if shape.loads else 0, total_load),
        "throughput": _ratio(1000 * appended, counts.duration_ms),
        "refused": counts.refused,
        "gave_up": counts.gave_up,
        "unfoldable": counts.unfoldable,
    }
    assert values.keys() == {metric.name for metric in METRICS}
    return values


def percentile(ascending: Sequence[float], percent: float) -> float | None:
    """Return the nearest-rank percentile of ascending values; None if there are none."""
    if not ascending:
        return None
    rank = -(-len(ascending) * percent // 100)  # rounded up
    return ascending[max(1, int(rank)) - 1]


def gini(ascending: Sequence[float]) -> float:
    """Return the Gini coefficient of ascending values: 0 if all are equal, near 1 if one has it all."""
    total, count = sum(ascending), len(ascending)
    if not total:
        return 0.0
    weighted = sum(rank * value for rank, value in enumerate(ascending, 1))
    return 2 * weighted / (count * total) - (count + 1) / count


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _percent(part: float, whole: float) -> float:
    return 100 * part / whole if whole else 0.0
