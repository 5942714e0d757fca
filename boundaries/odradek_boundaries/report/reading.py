"""What a study shows, in words made from its numbers: a title that states the finding, and how to read the picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from odradek_boundaries.report.curves import Curves
from odradek_boundaries.study import Study, format_number

__all__ = [
    "Finding",
    "format_percent",
    "kept_names",
    "read_attempts",
    "read_clients",
    "read_conflicts",
    "read_folds",
    "read_loads",
    "read_matrix",
    "summary",
]


class Finding(msgspec.Struct, frozen=True):
    """What a picture shows: the finding as a title, and in some sentences how to read it."""

    title: str
    text: str


def kept_names(study: Study) -> tuple[str, ...]:
    """Return the boundaries that keep every decision."""
    rows = study.explanation.rows.values()
    return tuple(
        name for place, name in enumerate(study.boundaries) if all(cells[place].is_kept is not False for cells in rows)
    )


def summary(study: Study) -> list[str]:
    """Return what the study shows as a whole, in a few sentences."""
    shares, ceilings = _means(study, "conflict_share"), _means(study, "ceiling")
    stale, broken = _means(study, "stale"), _means(study, "broken")
    right = _right(study)
    wrong = [name for name in study.boundaries if name not in right]
    told = []
    if right:
        best = _least(shares, right)
        has = "has" if len(best) == 1 else "have"
        among = "Among the boundaries under which nothing went wrong, " if wrong else "Nothing went wrong: "
        told.append(
            f"{among}{_quoted(best)} {has} the fewest conflicts, {format_percent(shares[best[0]])} of all attempts."
        )
    if wrong:
        what = [
            *(["decisions were stale, which means wrong when they were stored"] if any(stale.values()) else []),
            *(["declared rules were broken"] if any(broken.values()) else []),
        ]
        told.append(f"Under {_quoted(wrong)}, {' and '.join(what)}.")
    fastest = _most(ceilings)
    price = ", at the price just named" if set(fastest) & set(wrong) else ""
    told.append(f"{_quoted(fastest)} could go fastest: up to {ceilings[fastest[0]]:.1f} times one worker{price}.")
    return told


def read_matrix(study: Study) -> Finding:
    """Read the matrix of decisions and boundaries."""
    kept, count = kept_names(study), len(study.boundaries)
    told = [
        "Kept: the append checks all that the decision read, so nothing changes it unseen. This is known without a run."
    ]
    for place, name in enumerate(study.boundaries):
        lost = [decision for decision, cells in study.explanation.rows.items() if cells[place].is_kept is False]
        if lost:
            told.append(f"“{name}” does not keep {_listed(lost)}.")
    title = f"{len(kept) or 'None'} of {count} boundaries {'keeps' if len(kept) == 1 else 'keep'} every decision"
    return Finding("Every boundary keeps every decision" if len(kept) == count else title, " ".join(told))


def read_conflicts(study: Study) -> Finding:
    """Read the plot of conflicts against stale decisions and broken rules."""
    shares, stale, broken = (_means(study, name) for name in ("conflict_share", "stale", "broken"))
    right, count = _right(study), len(study.boundaries)
    told = ["To the left, fewer appends are refused; further up, more decisions are wrong."]
    for name in study.boundaries:
        wrong = [
            f"{format_number(number)} {what}"
            for number, what in ((stale[name], "stale decisions"), (broken[name], "broken rules"))
            if number
        ]
        if wrong:
            told.append(f"“{name}” has {format_percent(shares[name])} conflicts, but {' and '.join(wrong)} in a run.")
    if len(study.seeds) > 1:
        told.append(f"Thin bars show the range of {len(study.seeds)} seeds.")
    if len(kept_names(study)) < count:
        told.append("Hollow marks are boundaries that do not keep every decision.")
    if not right:
        return Finding("Under every boundary, decisions were stale or rules were broken", " ".join(told))
    best = _least(shares, right)
    condition = "" if len(right) == count else " with nothing stale or broken"
    title = f"{_quoted(best)}: {format_percent(shares[best[0]])} conflicts, the fewest{condition}"
    return Finding(title, " ".join(told))


def read_attempts(study: Study) -> Finding:
    """Read the stacked attempts."""
    shares, wasted = _means(study, "conflict_share"), _means(study, "false_by_decision")
    most = _most(shares)[0]
    if not shares[most]:
        return Finding("No append was refused", "Every command was appended at its first try.")
    least = _least(wasted, [name for name in study.boundaries if shares[name]])
    told = (
        "A refused append is tried again. After a real conflict the decision is another one; after a false conflict it "
        f"is the same, so the retry was for nothing. Under {_quoted(least)} that holds for the smallest part of the "
        f"conflicts, {format_percent(wasted[least[0]])}."
    )
    refused, for_nothing = format_percent(shares[most]), format_percent(wasted[most])
    return Finding(f"“{most}” refuses {refused} of its attempts, {for_nothing} of them for nothing", told)


def read_loads(curves: Curves) -> Finding:
    """Read the conflicts by load."""
    shares = {name: values[-1] for name, values in curves.conflict_shares.items()}
    most, least = _most(shares)[0], _least(shares, shares)[0]
    told = (
        "Commands have one try here. The dashed line is x/(1+x), the law for one unit that every command checks, with "
        "x commands per service time. Boundaries with several units share the load, so they lie below it."
    )
    load = f"At {curves.loads[-1]:,.0f} commands per second"
    other = f", {format_percent(shares[least])} under “{least}”" if least != most else ""
    return Finding(f"{load}, {format_percent(shares[most])} are refused under “{most}”{other}", told)


def read_clients(study: Study, curves: Curves) -> Finding:
    """Read the throughput by clients."""
    reached, ceilings = {name: values[-1] for name, values in curves.throughputs.items()}, _means(study, "ceiling")
    most, least = _most(reached)[0], _least(reached, reached)[0]
    told = (
        "Each client sends its next command when the last one was answered, and retries take time too. The marks at "
        "the right are the ceilings: what unlimited workers reach if commands keep their order. The highest is "
        f"{max(ceilings.values()):.1f} times one worker, for {_quoted(_most(ceilings))}; the lowest is "
        f"{min(ceilings.values()):.1f}, for {_quoted(_least(ceilings, ceilings))}."
    )
    times = (
        f", {reached[most] / reached[least]:.1f} times as many as “{least}”" if reached[least] != reached[most] else ""
    )
    title = f"With {curves.clients[-1]} clients, “{most}” appends {reached[most]:,.0f} commands per second{times}"
    return Finding(title, told)


def read_folds(study: Study) -> Finding:
    """Read the events folded per decision."""
    folded, growth = _means(study, "folded"), _means(study, "growth")
    most, least = _most(folded)[0], _least(folded, folded)[0]
    longest = _most(growth)
    told = (
        "To decide, an aggregate folds all facts of its units, and a query per decision what it reads. Lines that keep "
        f"rising need snapshots: the longest unit of {_quoted(longest)} grows by {format_number(growth[longest[0]])} "
        "events per 1000 commands. Dots are single decisions of the first seed, lines their means."
    )
    times = f", {folded[most] / folded[least]:.3g} times as many as “{least}”" if folded[least] != folded[most] else ""
    return Finding(f"“{most}” folds {folded[most]:,.0f} events per decision{times}", told)


def _right(study: Study) -> list[str]:
    """Return the boundaries under which no decision was stale and no rule broken."""
    stale, broken = _means(study, "stale"), _means(study, "broken")
    return [name for name in study.boundaries if not stale[name] and not broken[name]]


def _means(study: Study, metric: str) -> dict[str, float]:
    return {name: study.spread(name, metric).mean or 0.0 for name in study.boundaries}


def _least(values: dict[str, float], names: Iterable[str]) -> list[str]:
    among = {name: values[name] for name in names}
    return [name for name, value in among.items() if value == min(among.values())]


def _most(values: dict[str, float]) -> list[str]:
    return [name for name, value in values.items() if value == max(values.values())]


def format_percent(value: float) -> str:
    """Return a percentage in three digits."""
    return f"{value:.3g}%"


def _quoted(names: Sequence[str]) -> str:
    return _listed([f"“{name}”" for name in names])


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
