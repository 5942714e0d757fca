"""How commands print what a log shows about boundaries: as JSON, as tables, and as a Mermaid graph of its units.

What is sound and what is a guess stay apart, in words too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from odradek.cli.formats.trace_mermaid import escaped
from odradek.cli.output import format_count

if TYPE_CHECKING:
    from odradek.boundaries import Observation
    from odradek_boundaries.observe import KindFigures, Pattern, TagUse, Together, UnitFigures

__all__ = ["CANNOT_TELL", "Table", "observation_graph", "observation_json", "observation_notes", "observation_tables"]

CANNOT_TELL = (
    "conflict rates, since refused appends leave no trace",
    "whether a split is safe, since reads are not in a log",
)
Table = tuple[str, Sequence[str], list[list[object]]]
"""Title, columns and rows."""


def observation_json(found: Observation) -> dict[str, Any]:
    """Return an observation as JSON: what is sound, what is a guess, and what a log cannot tell."""
    sound = msgspec.to_builtins(found)
    merges, splits = sound.pop("merges"), sound.pop("splits")
    guesses = [
        {"guess": name, **fields, "text": str(guess)}
        for name, each, values in (("merge", merges, found.merges), ("split", splits, found.splits))
        for fields, guess in zip(each, values, strict=True)
    ]
    return {"sound": sound, "guesses": guesses, "cannot_tell": CANNOT_TELL}


def observation_notes(found: Observation) -> Iterator[str]:
    """Yield lines about the size of the log, and about what is not known."""
    yield (
        f"{format_count(found.events, 'event')} in {format_count(found.decisions, 'decision')} of "
        f"{format_count(found.commits, 'commit')}; {format_count(found.conversations, 'conversation')}, by "
        "correlation id"
    )
    if found.mixed_commits:
        yield (
            f"{format_count(found.mixed_commits, 'commit')} with decisions of several conversations: each decision "
            "counts for its own"
        )
    if found.unknown:
        yield f"{format_count(found.unknown, 'decision')} without a correlation id: the conversation is unknown"
    if found.unreadable:
        yield (
            f"{format_count(found.unreadable, 'event')} of types that are not registered here: the tags are unknown; "
            "--module imports your types"
        )
    if found.closed_early:
        yield (
            f"{format_count(found.closed_early, 'conversation')} counted before the end of the log, to bound memory: "
            "one that went on later counts again"
        )


def observation_tables(found: Observation, limit: int) -> Iterator[Table]:
    """Yield the tables of what is sound, with at most this many hops."""
    units = f"tags {', '.join(found.by)}" if found.by else "streams"
    yield (
        f"Conversations by the units that they touch ({units}; +: several of a kind)",
        ["touches", "conversations", "units", "most", "hops", "most", "events", "most", "window p50", "p99", "max"],
        list(map(_pattern, found.patterns)),
    )
    yield "Units", ["kind", "units", "decisions", "events", "conversations"], list(map(_kind, found.kinds))
    yield (
        "Hops within conversations",
        ["from", "to", "hops"],
        [[_name(found.units[hop.source]), _name(found.units[hop.target]), hop.count] for hop in found.hops[:limit]],
    )
    yield (
        "Tags of decisions",
        ["in units", "tag", "decisions", "one value %", "several %", "none %", "values", "several in a unit"],
        list(map(_tag_use, found.tags)),
    )
    yield (
        "Tags that decisions have together",
        ["tag", "other", "decisions with both", "% of tag", "% of other"],
        list(map(_together, found.together)),
    )


def observation_graph(found: Observation) -> Iterator[str]:
    """Yield the lines of a Mermaid graph: a node for each unit, and an arrow with the number of hops."""
    yield "flowchart LR"
    for number, unit in enumerate(found.units):
        counts = f"{format_count(unit.conversations, 'conversation')}<br/>{format_count(unit.events, 'event')}"
        yield f'    u{number}["{escaped(_name(unit))}<br/>{counts}"]'
    for hop in found.hops:
        yield f"    u{hop.source} -->|{hop.count:,}| u{hop.target}"


def _pattern(pattern: Pattern) -> list[object]:
    touches = ", ".join(f"{kind}+" if kind in pattern.several else kind for kind in pattern.kinds)
    window = pattern.window
    bounds = [None, None, None] if window is None else [window.p50_ms, window.p99_ms, window.max_ms]
    return [touches or "other units", pattern.conversations, *pattern.units, *pattern.hops, *pattern.events, *bounds]


def _kind(kind: KindFigures) -> list[object]:
    units = f"{kind.units:,} or more" if kind.has_more else kind.units
    return [kind.kind, units, kind.decisions, kind.events, kind.conversations]


def _tag_use(use: TagUse) -> list[object]:
    counts = use.with_one, use.with_several, use.decisions - use.with_one - use.with_several
    shares = [_share(count, use.decisions) for count in counts]
    return [use.kind, use.tag, use.decisions, *shares, use.values, use.divides]


def _together(tags: Together) -> list[object]:
    both = tags.with_both
    return [tags.tag, tags.other, both, _share(both, tags.with_tag), _share(both, tags.with_other)]


def _name(unit: UnitFigures) -> str:
    return unit.name or f"other units of {unit.kind}"


def _share(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
