"""`odradek verify`, `stats`, `backup` and `salvage`: check, summarise and copy a log."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

import odradek
from odradek.cli.exit_codes import CommandError, ExitCode
from odradek.cli.opening import open_reader
from odradek.cli.options import ExistingLog, JsonOption, NewLog, bad_value
from odradek.cli.output import bar, format_count, json_line, line, plain, table

if TYPE_CHECKING:
    from odradek_events.maintenance.salvage import Salvage
    from odradek_events.record import Head

__all__ = ["backup", "salvage", "stats", "verify"]

_ADVICE = "restore a backup, or copy what is sound with 'odradek salvage'"


def verify(
    log: ExistingLog,
    head: Annotated[
        str | None,
        typer.Option(metavar="POSITION:DIGEST", help="A head noted earlier, which the log must still have."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check every commit of a log.

    It checks positions and versions for gaps, the chain of digests, that every event decodes, the index, the structure
    of the file, that the events can be folded into topics, producers, consumers and groups, and into aggregates of your
    own that `odradek --module` imports, and that each snapshot is the state that they give at a commit which the log
    still has. Commits missing from the end leave a valid chain; only
    such a snapshot, or a head noted earlier, reveals the loss. Note the head that is printed, and pass it to --head
    later; the log may have grown by then.

    \b
    Example:
      odradek verify orders.db
      odradek verify orders.db --head 41:5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9
    """
    from msgspec.structs import asdict

    from odradek_events.record import Head
    from odradek_events.snapshots.sqlite import open_snapshots

    known = None if head is None else _head(head)
    with (
        _opened(log) as opened,
        closing(open_snapshots(opened)) as snapshots,
        bar("verified", _length(opened)) as progress,
    ):
        found = odradek.verify(opened, progress, head=known, snapshots=snapshots)
    noted = Head(found.head, bytes.fromhex(found.digest), None).to_text()
    if json:
        fields = {**asdict(found), "unread_events": found.unread_events}
        json_line({"is_sound": found.is_sound, **fields, "position_and_digest": noted})
    else:
        for finding in found.findings:
            line(f"{_place(finding.position)}: {plain(finding.problem)}")
        for mistake in found.model_mistakes:
            line(f"mistake in a model, which is not damage: {plain(mistake.problem)}")
        for stopped in found.stopped_policies:
            line(f"{_place(stopped.position)}: {plain(stopped.problem)}; this is not damage")
        for name in found.unknown_types:
            line(f"type not registered here, which is not damage: {plain(name)}")
        for note in found.notes:
            line(f"not part of the log, so not damage of it: {plain(note)}")
        if found.unfolded_streams:
            streams = format_count(found.unfolded_streams, "stream")
            line(f"not folded into states, which is not damage: {streams} of types of your own or not registered here")
        unread = (
            f", and {format_count(found.unread_events, 'event')} that cannot be read" if found.unread_events else ""
        )
        line(f"{found.events:,} events in {found.commits:,} commits of {found.streams:,} streams{unread}")
        if found.snapshots:
            line(f"snapshots: {found.snapshots:,}")
        line(f"head {noted}")
    if not found.is_sound:
        count = len(found.findings)
        what = "1 finding" if count == 1 else f"{count} findings"
        raise CommandError(f"{log} is damaged: {what}; {_ADVICE}", ExitCode.BROKEN)
    if not json:
        line("sound")
    if found.model_mistakes:
        mistakes = format_count(len(found.model_mistakes), "mistake")
        raise CommandError(f"{log} is sound, but {mistakes} in a model must be fixed to read it", ExitCode.UNREADABLE)


def _opened(log: str) -> odradek.SqliteLog:
    try:
        return open_reader(log)
    except odradek.errors.DamagedCommit as error:
        raise CommandError(f"{log} is damaged: {error.reason}; {_ADVICE}", ExitCode.BROKEN) from error


def _head(text: str) -> Head:
    from odradek_events.record import Head

    try:
        return Head.from_text(text)
    except ValueError as error:
        raise bad_value("--head", str(error)) from error


def _length(log: odradek.SqliteLog) -> int | None:
    try:
        return log.head().position + 1
    except odradek.LogError:  # verify finds and reports it
        return None


def _place(position: int) -> str:
    return "the file" if position < 0 else f"position {position}"


def stats(log: ExistingLog, json: JsonOption = False) -> None:
    """Summarise a log: its size, types of events, biggest streams.

    \b
    Example:
      odradek stats orders.db
    """
    from msgspec.structs import asdict

    from odradek_events.maintenance.statistics import log_statistics

    with open_reader(log) as opened:
        with bar("read", opened.head().position + 1) as progress:
            found = log_statistics(opened, progress=progress)
        size = os.path.getsize(opened.path)
    if json:
        fields = asdict(found)
        json_line({**fields, "events_per_commit": found.events_per_commit, "file_bytes": size})
        return
    line(f"{found.events:,} events in {found.commits:,} commits of {found.streams:,} streams, head {found.position}")
    line(f"{found.events_per_commit:,.1f} events per commit, {found.largest_commit:,} in the largest")
    line(f"{size:,} bytes on disk, {found.event_bytes:,} of them events")
    if found.first_recorded_at is not None and found.last_recorded_at is not None:
        line(f"from {found.first_recorded_at.isoformat()} to {found.last_recorded_at.isoformat()}")
    line()
    table("Events by type", ["type", "events"], found.events_by_type.items())
    table("Events by stream type", ["stream type", "events"], found.events_by_stream_type.items())
    table(
        "Biggest streams",
        ["stream", "events", "bytes of events"],
        [[item.stream, item.events, item.event_bytes] for item in found.biggest_streams],
    )


def backup(
    log: ExistingLog,
    new: NewLog,
    json: JsonOption = False,
) -> None:
    """Copy a log, even while another process writes it.

    Snapshots are not copied: the log is complete without them, and new ones are taken.

    \b
    Example:
      odradek backup orders.db orders-backup.db
    """
    with open_reader(log) as opened:
        head = odradek.backup(opened, new)
    if json:
        json_line({"log": new, "head": head.position, "digest": head.digest.hex()})
    else:
        line(f"Copied {head.position + 1:,} events to {new}: head {head.to_text()}")


def salvage(log: ExistingLog, new: NewLog, json: JsonOption = False) -> None:
    """Copy the sound part of a damaged log into a new log.

    The sound part is everything before the first damaged commit. Commits keep their bytes and digests, the index is
    rebuilt, and the old log is not changed. A sound log is copied whole, and so is a log of which only the first page
    of the file is damaged. If something was left out, the exit code is 1.

    \b
    Example:
      odradek salvage damaged.db orders.db
    """
    from msgspec.structs import asdict

    with bar("copied", None) as progress:
        found = odradek.salvage(log, new, progress)
    if json:
        fields = asdict(found)
        fields |= {"head": found.head.position, "digest": found.head.digest.hex(), "is_whole": found.is_whole}
        json_line({"log": new, **fields, "left_out_events": found.left_out_events})
    else:
        line(f"Copied {found.events:,} events in {found.commits:,} commits to {new}: head {found.head.to_text()}")
        for note in found.notes:
            line(f"also damaged in {log}, and repaired in the copy: {plain(note)}")
        if not found.is_whole:
            line(_left_out(found))
    if not found.is_whole:
        place = f"position {found.head.position + 1}"
        raise CommandError(f"{log} is damaged at {place}: {found.problem}; {new} ends before it", ExitCode.BROKEN)


def _left_out(found: Salvage) -> str:
    first = found.head.position + 1
    if found.left_out_until is None:
        return f"left out: everything from position {first}; it cannot be read, so its extent is unknown"
    commits = (
        f"{found.left_out_commits:,} commits that the file still lists"
        if found.left_out_commits
        else "no commit is listed"
    )
    extent = f"{found.left_out_events:,} events, positions {first} to {found.left_out_until}; {commits}"
    if found.is_end_known:
        return f"left out: {extent}"
    return f"left out: at least {extent}; what followed is unknown"
