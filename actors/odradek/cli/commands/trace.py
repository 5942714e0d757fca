"""`odradek trace`: show what a conversation led to."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Literal

import typer

import odradek
from odradek.cli.opening import open_reader
from odradek.cli.options import ExistingLog, JsonOption, bad_value, topic_name
from odradek.cli.output import bar, json_line, line

__all__ = ["trace"]

_PLACE = re.compile(r"(.+)/([0-9]{1,9})/([0-9]{1,18})")


def trace(
    log: ExistingLog,
    id_: Annotated[
        str | None,
        typer.Argument(
            metavar="ID",
            help="A correlation id, a prefix that only one has, or the id of an event.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        int | None, typer.Option(min=0, metavar="POSITION", help="Show the conversation of the event at this position.")
    ] = None,
    message: Annotated[
        str | None,
        typer.Option(metavar="TOPIC/PARTITION/OFFSET", help="Show the conversation that sent this message."),
    ] = None,
    format_: Annotated[
        Literal["text", "mermaid"], typer.Option("--format", help="A tree, or a Mermaid sequence diagram.")
    ] = "text",
    limit: Annotated[
        int, typer.Option(min=1, help="Show at most this many events of the conversation, the one asked for included.")
    ] = 100,
    json: JsonOption = False,
) -> None:
    """Show the commands of a conversation, and what they led to.

    A conversation is everything that shares a correlation id. For a message it also shows who consumed it and which
    commits covered it, also if those belong to other conversations.

    \b
    Example:
      odradek trace orders.db --message orders/0/17
      odradek trace orders.db order-17 --format mermaid
    """
    from odradek.cli.formats.trace_mermaid import mermaid_lines
    from odradek.cli.formats.trace_text import trace_json, trace_lines
    from odradek_domain.replay.message_trace import position_of
    from odradek_events.trace import trace_at

    if sum(item is not None for item in (id_, at, message)) != 1:
        raise bad_value("ID", "name one conversation: by ID, by --at, or by --message")
    if json and format_ != "text":
        raise bad_value("--json", f"it cannot be combined with --format {format_}")
    with open_reader(log) as opened, bar("searched", opened.head().position + 1) as progress:
        if message is not None:
            at = position_of(opened, *_parse_message(message))
        find = partial(odradek.trace, opened, id_) if id_ is not None else partial(trace_at, opened, at or 0)
        found = find(follow=odradek.follow_messages, limit=limit, progress=progress)
    if json:
        json_line(trace_json(found))
        return
    for text in trace_lines(found) if format_ == "text" else mermaid_lines(found):
        line(text)


def _parse_message(text: str) -> tuple[str, int, int]:
    found = _PLACE.fullmatch(text)
    if found is None:
        raise bad_value(
            "--message", f"{text[:80]!r} is not a message; use topic, partition and offset like orders/0/17"
        )
    topic, partition, offset = found.groups()
    return str(topic_name("--message", topic)), int(partition), int(offset)
