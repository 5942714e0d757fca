"""`odradek log`: the events of a log, one a line."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from odradek.cli.event_format import event_json, event_line
from odradek.cli.options import ExistingLog, JsonOption, open_reader, parse_place, resolved
from odradek.cli.output import json_line, line
from odradek_events.appending import split_stream

__all__ = ["log"]


def log(
    log: ExistingLog,
    stream: Annotated[str | None, typer.Option(help="Only this stream, such as topic/orders.")] = None,
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="Only events of this type; given again: of any of them.")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(help="Only events with this tag, such as partition:orders/0; given again: with all of them."),
    ] = None,
    after: Annotated[str, typer.Option(metavar="PLACE", help="Begin after this position or time.")] = "-1",
    until: Annotated[str, typer.Option(metavar="PLACE", help="End with this position or time.")] = "head",
    limit: Annotated[int | None, typer.Option(min=1, help="Print so many events at most.")] = None,
    json: JsonOption = False,
) -> None:
    """Print the events of a log.

    A PLACE is a position (from 0), a time (by recorded-at, UTC unless it says otherwise), or head. Events of types that
    are not registered here are printed as they are stored.

    \b
    Example:
      odradek log orders.db --type MessageProduced --tag partition:orders/0
    """
    if stream is not None:
        split_stream(stream)  # InvalidStream
    with open_reader(log) as opened:
        events = opened.read(
            after=resolved(opened, parse_place("--after", after)),
            until=resolved(opened, parse_place("--until", until)),
            stream=stream,
            types=type_ or (),
            tags=tag or (),
            opaque=True,
        )
        for recorded in islice(events, limit):
            if json:
                json_line(event_json(recorded))
            else:
                line(event_line(recorded))
