"""`odradek log`: print the events of a log, one per line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

import odradek
from odradek.cli.exit_codes import CommandError, ExitCode
from odradek.cli.opening import open_reader, resolve_place
from odradek.cli.options import ExistingLog, JsonOption, bad_value, parse_place
from odradek.cli.output import format_count, json_line, line, tell

if TYPE_CHECKING:
    from odradek_events.log.subscription import Subscription

__all__ = ["log"]


def log(
    log: ExistingLog,
    stream: Annotated[str | None, typer.Option(help="Only this stream, such as topic/orders.")] = None,
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="Only events of this type; repeat it for several types.")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(help="Only events with this tag, such as partition:orders/0; repeat it to require several."),
    ] = None,
    after: Annotated[str, typer.Option(metavar="PLACE", help="Start after this position or time.")] = "-1",
    until: Annotated[str, typer.Option(metavar="PLACE", help="Stop at this position or time.")] = "head",
    limit: Annotated[int | None, typer.Option(min=1, help="Print at most this many events.")] = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Wait for more events at the end, until --limit or Ctrl-C. Not with --until."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Print the events of a log.

    A PLACE is a position (from 0), the time of recording (UTC unless it has a zone), or head. Events of types that are
    not registered here are printed as stored.

    \b
    Example:
      odradek log orders.db --type MessageProduced --tag partition:orders/0
      odradek log orders.db --after head --follow --json
    """
    from odradek_events.log.judging import split_stream

    if stream is not None:
        split_stream(stream)  # InvalidStream
    if follow and until != "head":
        raise bad_value("--follow", "not with --until: following goes on beyond the head")
    show = _printer(json)
    with open_reader(log) as opened:
        begin = resolve_place(opened, parse_place("--after", after))
        if follow:
            with opened.subscribe(after=begin, stream=stream, types=type_ or (), tags=tag or (), opaque=True) as events:
                _follow(events, limit, show)
            return
        count = 0
        for recorded in opened.read(
            after=begin,
            until=resolve_place(opened, parse_place("--until", until)),
            stream=stream,
            types=type_ or (),
            tags=tag or (),
            limit=limit,
            opaque=True,
        ):
            show(recorded)
            count += 1
        if count == 0:
            _explain_nothing(opened, stream, type_ or [], tag or [])


def _explain_nothing(log: odradek.SqliteLog, stream: str | None, types: list[str], tags: list[str]) -> None:
    """Print on stderr which of the names asked for the log does not have: one may be misspelled."""
    nowhere = [
        f"event of type {name!r}" for name in types if next(log.commits(types=[name], opaque=True), None) is None
    ]
    nowhere += [f"event with tag {name!r}" for name in tags if next(log.read(tags=[name], opaque=True), None) is None]
    if stream is not None and log.stream_version(stream) < 0:
        nowhere.append(f"stream {stream!r}")
    if nowhere:
        tell(f"the log has no {', and no '.join(nowhere)}; 'odradek stats LOG' lists its types and biggest streams")


def _printer(json: bool) -> Callable[[odradek.Recorded], None]:
    from odradek.cli.formats.events import event_json, event_line

    if json:
        return lambda recorded: json_line(event_json(recorded))
    return lambda recorded: line(event_line(recorded))


def _follow(events: Subscription, limit: int | None, show: Callable[[odradek.Recorded], None]) -> None:
    """Print the events of the log, then new ones as they are appended; flush before waiting."""
    count = 0
    try:
        while limit is None or count < limit:
            recorded = events.take(0)
            if recorded is None:
                sys.stdout.flush()
                recorded = events.take()
            if recorded is None:
                return
            count += 1  # before printing, so that every event a reader has seen is counted
            show(recorded)
    except KeyboardInterrupt:
        raise CommandError(f"interrupted after {format_count(count, 'event')}", ExitCode.INTERRUPTED) from None
