"""How commands print a trace: as a tree of lines for people, or of numbered nodes for programs."""

from __future__ import annotations

from collections.abc import Iterator

from odradek.cli.formats.events import event_fields, event_json, moment
from odradek.cli.output import format_count, plain
from odradek_domain.replay.message_trace import command_of
from odradek_events.trace import Trace, TracedDecision, TracedEvent

__all__ = ["trace_json", "trace_lines"]

Node = TracedDecision | TracedEvent


def trace_lines(trace: Trace) -> Iterator[str]:
    """Yield a headline, and a line for each command and event, below its cause."""
    yield f"Conversation {plain(trace.correlation_id) or '(without an id)'}: {format_count(trace.event_count, 'event')}"
    waiting = _stacked("", trace.decisions)
    while waiting:
        before, is_last, node = waiting.pop()
        yield f"{before}{'└─' if is_last else '├─'} {_label(node, trace)}"
        waiting += _stacked(before + ("   " if is_last else "│  "), _children(node))
    if trace.omitted:
        yield f"{format_count(trace.omitted, 'event')} not shown; --limit {trace.event_count} shows all"


def trace_json(trace: Trace) -> dict[str, object]:
    """Return the tree as a list of nodes, each with the number of its parent: parsers limit how deep JSON may nest."""
    nodes: list[dict[str, object]] = []
    waiting: list[tuple[int | None, Node]] = [(None, decision) for decision in reversed(trace.decisions)]
    while waiting:
        parent, node = waiting.pop()
        number = len(nodes)
        nodes.append({"number": number, "parent": parent, **_described(node)})
        waiting += [(number, child) for child in reversed(_children(node))]
    return {
        "correlation_id": trace.correlation_id,
        "event_count": trace.event_count,
        "omitted": trace.omitted,
        "asked": trace.asked,
        "nodes": nodes,
    }


def _stacked(before: str, nodes: tuple[Node, ...]) -> list[tuple[str, bool, Node]]:
    return [(before, number == 0, node) for number, node in enumerate(reversed(nodes))]


def _children(node: Node) -> tuple[Node, ...]:
    below: tuple[Node, ...]
    if isinstance(node, TracedDecision):
        below = (*node.on_behalf, *node.events)
    else:
        below = (*node.caused, *node.followed_by)
    return tuple(sorted(below, key=_position))


def _position(node: Node) -> int:
    return node.position if isinstance(node, TracedDecision) else node.recorded.position


def _label(node: Node, trace: Trace) -> str:
    if isinstance(node, TracedDecision):
        actor = f", {plain(node.actor)}" if node.actor else ""
        cut = f": {format_count(node.omitted, 'event')} of it not shown" if node.omitted else ""
        sender = f"policy {plain(node.policy)}: " if node.policy else ""
        return f"{sender}{command_of(node)} -> {plain(node.stream)} ({moment(node.recorded_at)}{actor}){cut}"
    recorded = node.recorded
    elsewhere = recorded.metadata.correlation_id
    other = f"  (conversation {plain(elsewhere)})" if elsewhere not in ("", trace.correlation_id) else ""
    mark = "  <- asked for" if recorded.position == trace.asked else ""
    place = f"{recorded.position}  {plain(recorded.type)}  {plain(recorded.stream)} {recorded.version}"
    return f"{place}  {event_fields(recorded.event, brief=True)}{other}{mark}"


def _described(node: Node) -> dict[str, object]:
    if isinstance(node, TracedEvent):
        return {"kind": "event", **event_json(node.recorded)}
    return {
        "kind": "command",
        "command": command_of(node),
        "stream": node.stream,
        "actor": node.actor,
        "recorded_at": node.recorded_at,
        "correlation_id": node.correlation_id,
        "causation_id": node.causation_id,
        "policy": node.policy,
        "omitted": node.omitted,
    }
