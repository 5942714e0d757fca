"""How commands print a trace as a Mermaid sequence diagram: commands as arrows, events as notes, in the log's order.

Mermaid has no quoting in sequence diagrams: characters with a meaning are written as entity codes, participants have
aliases, and of the word "end", which closes a block wherever it stands, the first letter is written as such a code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from odradek.cli.output import format_count, plain
from odradek_domain.replay.message_trace import command_of, sender_of
from odradek_events.trace import Trace, TracedDecision, TracedEvent

__all__ = ["escaped", "mermaid_lines"]

_CLIENT = "client"
_WIDTH = 80
Step = tuple[int, str, str, str]  # position, from, to, text; an event stays where it is


def mermaid_lines(trace: Trace) -> Iterator[str]:
    """Yield the lines of the diagram. Events of one type from one command share a note; a commit is one arrow."""
    steps = sorted(
        dict.fromkeys(_steps(trace)), key=lambda step: step[0]
    )  # a commit follows from each of its messages, and is drawn once
    aliases: dict[str, str] = {}
    for _, sender, recipient, _ in steps:
        for name in (sender, recipient):
            aliases.setdefault(name, f"p{len(aliases)}")
    yield "sequenceDiagram"
    for name, alias in aliases.items():
        yield f"    {'actor' if name == _CLIENT else 'participant'} {alias} as {escaped(name)}"
    for _, sender, recipient, text in steps:
        if sender == recipient:
            yield f"    Note over {aliases[sender]}: {escaped(text)}"
        else:
            yield f"    {aliases[sender]}->>{aliases[recipient]}: {escaped(text)}"
    if trace.omitted:
        last = next(reversed(aliases.values()))
        shown = f"{format_count(trace.omitted, 'event')} not shown, limit {trace.event_count} shows all"
        yield f"    Note over {last}: {escaped(shown)}"


def _steps(trace: Trace) -> Iterator[Step]:
    waiting = [(decision, sender_of(decision) or _CLIENT) for decision in trace.decisions]
    while waiting:
        decision, sender = waiting.pop()
        if sender != decision.stream:
            yield decision.position, sender, decision.stream, command_of(decision)
        yield from _notes(decision, trace.asked)
        for other in decision.on_behalf:
            is_ours = other.stream in (decision.stream, sender)  # requested before the command was sent
            waiting.append((other, sender if is_ours else decision.stream))
        for event in decision.events:
            for caused in event.caused:
                sender = sender_of(caused) or decision.stream
                if caused.policy:
                    yield event.recorded.position, decision.stream, sender, _said([event])
                waiting.append((caused, sender))


def _notes(decision: TracedDecision, asked: int | None) -> Iterator[Step]:
    runs: list[list[TracedEvent]] = []
    for event in decision.events:
        if runs and _belongs(event, runs[-1][-1], asked):
            runs[-1].append(event)
        else:
            runs.append([event])
    for run in runs:
        mark = ", asked for" if run[0].recorded.position == asked else ""
        yield run[0].recorded.position, decision.stream, decision.stream, _said(run) + mark
        yield from _followed(decision.stream, run[-1].followed_by)


def _belongs(event: TracedEvent, before: TracedEvent, asked: int | None) -> bool:
    """Return whether both belong in one note: of one type, consecutive, and neither the one asked for."""
    is_next = event.recorded.position == before.recorded.position + 1
    is_asked = asked in (event.recorded.position, before.recorded.position)
    return is_next and not is_asked and event.recorded.type == before.recorded.type and not before.followed_by


def _followed(stream: str, events: Sequence[TracedEvent]) -> Iterator[Step]:
    """Yield what happened to a message elsewhere: it was consumed, then committed."""
    for event in events:
        yield event.recorded.position, stream, event.recorded.stream, _said([event])
        for later in event.followed_by:
            yield later.recorded.position, event.recorded.stream, later.recorded.stream, _said([later])


def _said(run: Sequence[TracedEvent]) -> str:
    first, last = run[0].recorded, run[-1].recorded
    if len(run) > 1:
        return f"{len(run)} {first.type}, positions {first.position} to {last.position}"
    partition, offset = (getattr(first.event, name, None) for name in ("partition", "offset"))
    place = f" {partition}/{offset}" if isinstance(partition, int) and isinstance(offset, int) else ""
    return f"{first.type}{place}, position {first.position}"


def escaped(text: str) -> str:
    """Return text as Mermaid shows it in any diagram, on one line and not too long."""
    text = re.sub(r"[^\w ./]", lambda found: f"#{ord(found[0])};", plain(text, _WIDTH))
    return re.sub(r"\bend\b", "#101;nd", text, flags=re.IGNORECASE) or "#32;"
