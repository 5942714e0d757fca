"""`odradek log`: the events of a log, one a line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

import msgspec
import typer

from odradek import Recorded
from odradek.cli.options import ExistingLog, JsonOption, open_reader, parse_place, resolved
from odradek.cli.output import json_line, line, plain
from odradek_events.appending import split_stream
from odradek_events.codec import OpaqueEvent

__all__ = ["log"]

_VALUE_WIDTH = 60


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
                json_line(_as_json(recorded))
            else:
                line(_as_text(recorded))


def _as_json(recorded: Recorded) -> dict[str, object]:
    metadata = recorded.metadata
    event = recorded.event
    is_known = not isinstance(event, OpaqueEvent)
    return {
        "position": recorded.position,
        "stream": recorded.stream,
        "version": recorded.version,
        "type": metadata.type,
        "schema_version": metadata.schema_version,
        "recorded_at": metadata.recorded_at,
        "event_id": metadata.event_id,
        "correlation_id": metadata.correlation_id,
        "causation_id": metadata.causation_id,
        "actor": metadata.actor,
        "event": event if is_known else msgspec.Raw(event.raw),
    }


def _as_text(recorded: Recorded) -> str:
    at = recorded.commit.recorded_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    place = f"{recorded.position:>8}  {at}  {plain(recorded.stream)} {recorded.version:>5}"
    return f"{place}  {plain(recorded.type)}  {_fields(recorded.event)}"


def _fields(event: Any) -> str:
    if isinstance(event, OpaqueEvent):
        values: Mapping[str, object] = msgspec.json.decode(event.raw, type=dict[str, Any])
        shown = {name: value for name, value in values.items() if name != "type"}
    else:
        shown = msgspec.structs.asdict(event)
    return " ".join(f"{plain(name)}={_value(value)}" for name, value in shown.items())


def _value(value: object) -> str:
    if isinstance(value, bytes):
        try:
            return plain(value.decode(), _VALUE_WIDTH)
        except UnicodeDecodeError:
            return plain(repr(value), _VALUE_WIDTH)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return plain(str(value), _VALUE_WIDTH)
