"""`odradek verify`, `stats` and `backup`: whether a log is sound, what it is made of, and a copy of it."""

from __future__ import annotations

import os
from typing import Annotated

import msgspec
import typer

from odradek import backup as copy_log
from odradek import verify as verify_log
from odradek.cli.exit_codes import CommandError, ExitCode
from odradek.cli.options import ExistingLog, JsonOption, open_reader
from odradek.cli.output import bar, json_line, line, plain, table
from odradek_events.statistics import log_statistics

__all__ = ["backup", "stats", "verify"]


def verify(log: ExistingLog, json: JsonOption = False) -> None:
    """Check every commit of a log.

    Positions and versions without gaps, the chain of digests, events that decode, the index, the file's own structure.
    Commits missing from the end leave a valid chain: compare the head and the digest with ones noted earlier.

    \b
    Example:
      odradek verify orders.db
    """
    with open_reader(log) as opened, bar("verified", opened.head().position + 1) as progress:
        found = verify_log(opened, progress)
    if json:
        json_line({"is_sound": found.is_sound, **msgspec.structs.asdict(found)})
    else:
        for finding in found.findings:
            line(f"position {finding.position}: {plain(finding.problem)}")
        for name in found.unknown_types:
            line(f"not registered here, and not damage: {plain(name)}")
        line(f"{found.events:,} events in {found.commits:,} commits of {found.streams:,} streams")
        line(f"head {found.head}, digest {found.digest}")
    if not found.is_sound:
        count = len(found.findings)
        what = "1 finding" if count == 1 else f"{count} findings"
        raise CommandError(f"{log} is damaged: {what}; restore a backup", ExitCode.BROKEN)
    if not json:
        line("sound")


def stats(log: ExistingLog, json: JsonOption = False) -> None:
    """Print what a log is made of.

    \b
    Example:
      odradek stats orders.db
    """
    with open_reader(log) as opened:
        with bar("read", opened.head().position + 1) as progress:
            found = log_statistics(opened, progress=progress)
        size = os.path.getsize(opened.path)
    if json:
        fields = msgspec.structs.asdict(found)
        json_line({**fields, "events_per_commit": found.events_per_commit, "file_bytes": size})
        return
    line(f"{found.events:,} events in {found.commits:,} commits of {found.streams:,} streams, head {found.position}")
    line(f"{found.events_per_commit:,.1f} events a commit, {found.largest_commit:,} in the largest")
    line(f"{size:,} bytes on disk, {found.event_bytes:,} of them events")
    if found.first_recorded_at is not None and found.last_recorded_at is not None:
        line(f"from {found.first_recorded_at.isoformat()} to {found.last_recorded_at.isoformat()}")
    line()
    table("Events by type", ["type", "events"], found.events_by_type.items())
    table("Events by type of stream", ["stream type", "events"], found.events_by_stream_type.items())
    table(
        "Biggest streams",
        ["stream", "events", "bytes of events"],
        [[item.stream, item.events, item.event_bytes] for item in found.biggest_streams],
    )


def backup(
    log: ExistingLog,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The copy's file, which must not exist.")],
    json: JsonOption = False,
) -> None:
    """Copy a log, also while it is being written.

    \b
    Example:
      odradek backup orders.db orders-backup.db
    """
    with open_reader(log) as opened:
        head = copy_log(opened, new)
    if json:
        json_line({"log": new, "head": head.position, "digest": head.digest.hex()})
    else:
        line(f"Copied {head.position + 1:,} events to {new}: head {head.position}, digest {head.digest.hex()}")
