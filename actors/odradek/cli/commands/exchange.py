"""`odradek export` and `import`: write a log to a file for other programs, and create a log from such a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

import odradek
from odradek.cli.opening import open_input, open_reader, resolve_place
from odradek.cli.options import ExistingLog, JsonOption, NewLog, bad_value, parse_place
from odradek.cli.output import bar, json_line, line, plain, raw_output, tell, write_all

__all__ = ["export", "import_"]

Format = Literal["jsonl", "parquet"]
_SUFFIXES: dict[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


def export(
    log: ExistingLog,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The file to write; it must not exist. - is stdout.")
    ] = "-",
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="By default the format that FILE's suffix names, and jsonl for stdout."),
    ] = None,
    until: Annotated[
        str,
        typer.Option(metavar="PLACE", help="Stop at the last whole commit up to this position or time."),
    ] = "head",
    json: JsonOption = False,
) -> None:
    """Export a log as JSON Lines or as Parquet.

    jsonl: a header that names the head, then one line per commit with its events as stored; `odradek import` creates
    the same log from it. parquet: one row per event, for pandas, DuckDB and similar tools; needs 'odradek[parquet]'.

    \b
    Example:
      odradek export orders.db orders.jsonl
      odradek export orders.db orders.parquet
      odradek export orders.db | gzip > orders.jsonl.gz
    """
    from odradek_events.exchange.jsonl import new_export, write_lines
    from odradek_events.exchange.parquet import write_parquet

    if json and file == "-":
        raise bad_value("--json", "it describes the FILE that was written; name one")
    write_format = {"jsonl": write_lines, "parquet": write_parquet}[format_ or _format_of(file)]
    place = parse_place("--until", until)
    with open_reader(log) as opened:
        end = None if place is None else resolve_place(opened, place)
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
    file: Annotated[str, typer.Argument(metavar="FILE", help="An export in JSON Lines; - is stdin.")],
    new: NewLog,
    json: JsonOption = False,
) -> None:
    """Create a log from an export, identical to the last digest.

    Everything is checked: that positions and versions have no gaps, that the chain of digests is unbroken, that events
    decode, and that the head is the one in the export's header. If a check fails, no log is created.

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
        line(f"imported as stored, since the type is not registered here: {plain(name)}")


def _format_of(file: str) -> Format:
    if file == "-":
        return "jsonl"
    suffix = Path(file).suffix.lower()
    if suffix not in _SUFFIXES:
        known = ", ".join(_SUFFIXES)
        raise bad_value(
            "FILE", f"{file[:200]!r} does not name a format; use a name that ends in {known}, or give --format"
        )
    return _SUFFIXES[suffix]
