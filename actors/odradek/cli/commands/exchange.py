"""`odradek export` and `import`: a log as a file that other programs read, and a log made of such a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

import odradek
from odradek.cli.opening import open_input, open_reader, resolved
from odradek.cli.options import ExistingLog, JsonOption, NewLog, bad_value, parse_place
from odradek.cli.output import bar, json_line, line, plain, raw_output, tell, write_all

__all__ = ["export", "import_"]

Format = Literal["jsonl", "parquet"]
_SUFFIXES: dict[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


def export(
    log: ExistingLog,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file, which must not exist; - is stdout.")] = "-",
    format_: Annotated[
        Format | None, typer.Option("--format", help="By default what FILE's name ends in, jsonl for stdout.")
    ] = None,
    until: Annotated[
        str,
        typer.Option(metavar="PLACE", help="End with the last whole commit up to this position or time."),
    ] = "head",
    json: JsonOption = False,
) -> None:
    """Write a log as JSON Lines or as Parquet, as it is now.

    jsonl: a header with the head, then one line a commit, with its events as they are stored; `odradek import` makes
    the same log of it. parquet: one row an event, for pandas, DuckDB and their like; it needs 'odradek[parquet]'.

    \b
    Example:
      odradek export orders.db orders.jsonl
      odradek export orders.db orders.parquet
      odradek export orders.db | gzip > orders.jsonl.gz
    """
    from odradek_events.exchange.jsonl import new_export, write_lines
    from odradek_events.exchange.parquet import write_parquet

    if json and file == "-":
        raise bad_value("--json", "it tells of a FILE that was written; name one")
    write_format = {"jsonl": write_lines, "parquet": write_parquet}[format_ or _format_of(file)]
    place = parse_place("--until", until)
    with open_reader(log) as opened:
        end = None if place is None else resolved(opened, place)
        length = (opened.head().position if end is None else end) + 1
        with bar("exported", length) as progress:
            if file == "-":
                output = raw_output()
                head = write_format(opened, partial(write_all, output), until=end, progress=progress)
                output.flush()
            else:
                with new_export(file) as target:
                    head = write_format(opened, target.write, until=end, progress=progress)
    if json:
        json_line({"file": file, "head": head.position, "digest": head.digest.hex()})
    else:
        say = tell if file == "-" else line
        say(f"Exported {head.position + 1:,} events to {'stdout' if file == '-' else file}: head {head.to_text()}")


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON Lines as 'odradek export' wrote them; - is stdin.")],
    new: NewLog,
    json: JsonOption = False,
) -> None:
    """Make a new log of an export, the same to the last digest.

    Everything is checked on the way: positions and versions without gaps, the chain of digests, events that decode, and
    the head that the export's header names. What is not sound becomes no log.

    \b
    Example:
      odradek import orders.jsonl orders.db
      zcat orders.jsonl.gz | odradek import - orders.db
    """
    with open_input(file) as source, bar("imported", None) as progress:
        found = odradek.import_log(source, new, name="stdin" if file == "-" else file, progress=progress)
    if json:
        unknown = found.unknown_types
        head = {"head": found.head.position, "digest": found.head.digest.hex()}
        json_line({"log": new, "commits": found.commits, "events": found.events, **head, "unknown_types": unknown})
        return
    line(f"Imported {found.events:,} events in {found.commits:,} commits to {new}: head {found.head.to_text()}")
    for name in found.unknown_types:
        line(f"not registered here, and imported as it is: {plain(name)}")


def _format_of(file: str) -> Format:
    if file == "-":
        return "jsonl"
    suffix = Path(file).suffix.lower()
    if suffix not in _SUFFIXES:
        known = ", ".join(_SUFFIXES)
        raise bad_value("FILE", f"{file[:200]!r} does not tell its format; let it end in {known}, or give --format")
    return _SUFFIXES[suffix]
