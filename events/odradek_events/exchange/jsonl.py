"""Export a log to JSON Lines, and import such an export as a new log.

The first line is the header: the format, its version, and the head. Every other line is one commit. It contains the
stored JSON of the metadata and the events unchanged, so bytes and digests survive, and both export and import check
the digest chain. The chain can only be checked from its start, so an export may end anywhere but always starts at
position 0.

The index is not exported, since tags are computed from events. The exception is a commit with unregistered types or
older versions: its line includes its tags.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Annotated, BinaryIO

import msgspec

from odradek_events.errors import DamagedCommit, LogFull, LogNotWritable
from odradek_events.exchange.errors import DamagedExport, ExportTooNew, NotAnExport
from odradek_events.log.checker import Checker
from odradek_events.log.judging import EMPTY_DIGEST
from odradek_events.log.port import ReadableLog, check_log
from odradek_events.maintenance.builder import building, new_file
from odradek_events.record import Commit, Head, StoredCommit
from odradek_events.schema.codec import Codec
from odradek_events.sqlite.index_walk import IndexWalk
from odradek_events.sqlite.log import SqliteLog
from odradek_events.validation import check_function, check_instance, printable, shown, whole_number

__all__ = [
    "EXPORT_FORMAT",
    "EXPORT_VERSION",
    "Imported",
    "checked_commits",
    "end_of",
    "export_log",
    "import_log",
    "new_export",
    "write_lines",
]

EXPORT_FORMAT = "odradek-log"
EXPORT_VERSION = 1

_MAX_HEADER_BYTES = 64 << 10
_MAX_LINE_BYTES = 1_100_000_000  # SQLite limits a row to 1 000 000 000 bytes
_PROGRESS_EACH = 64  # commits

Write = Callable[[bytes], object]
Progress = Callable[[int], None]


class _Header(msgspec.Struct, frozen=True):
    format: str
    version: int
    head: str


class _Line(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A commit; has `tags` only if they cannot be computed from its events."""

    first_position: int
    last_position: int
    stream: str
    first_version: int
    metadata: msgspec.Raw
    digest: str
    events: msgspec.Raw
    tags: dict[str, Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)] | None] = {}


class Imported(msgspec.Struct, frozen=True):
    """The result of an import: the new log's head and size, and the names of its types that are not registered."""

    head: Head
    commits: int
    events: int
    unknown_types: tuple[str, ...]


def export_log(
    log: ReadableLog,
    target: str | os.PathLike[str],
    *,
    until: int | datetime | None = None,
    progress: Progress | None = None,
) -> Head:
    """Export `log` up to its current head to the new file `target`, as JSON Lines; return where the export ends.

    See `write_lines`. Raises LogNotWritable if the target exists.
    """
    check_log(log)
    check_function("progress", progress)
    with new_export(target) as file:
        return write_lines(log, file.write, until=until, progress=progress)


def write_lines(
    log: ReadableLog, write: Write, *, until: int | datetime | None = None, progress: Progress | None = None
) -> Head:
    """Write `log` as JSON Lines up to the last whole commit at or before `until`, and return where that is.

    Checks every commit as `verify` does, and raises DamagedCommit for one that is not sound. Calls `progress` from time
    to time with the last position written.
    """
    end = end_of(log, until)
    encode = msgspec.json.Encoder().encode
    write(encode(_Header(EXPORT_FORMAT, EXPORT_VERSION, end.to_text())) + b"\n")
    with ExitStack() as stack:
        tags = _Tags(log, stack)
        for stored, commit in checked_commits(log, end, progress):
            if b"\n" in stored.metadata or b"\n" in stored.events:
                raise DamagedCommit(stored.first_position, "its JSON contains a line break")
            line = _Line(
                stored.first_position,
                stored.last_position,
                stored.stream,
                stored.first_version,
                msgspec.Raw(stored.metadata),
                stored.digest.hex(),
                msgspec.Raw(stored.events),
                tags.of(stored, commit),
            )
            write(encode(line) + b"\n")
    return end


def import_log(
    source: BinaryIO,
    target: str | os.PathLike[str],
    *,
    name: str = "the export",
    codec: Codec | None = None,
    progress: Progress | None = None,
    max_line_bytes: int = _MAX_LINE_BYTES,
) -> Imported:
    """Create the new log `target` from the JSON Lines in `source`, which error messages call `name`.

    Checks that positions and versions have no gaps, that the digests form a chain, that the events can be decoded, and
    that the log ends at the header's head; otherwise creates no log. Raises NotAnExport, ExportTooNew, or DamagedExport
    with the line number; raises LogNotWritable if the target exists.
    """
    if not callable(getattr(source, "readline", None)):
        raise TypeError(f"source must be a file that is open for reading bytes, not {shown(source)}")
    check_function("progress", progress)
    whole_number("max_line_bytes", max_line_bytes, 1)
    if codec is not None:
        check_instance("codec", codec, Codec, "a Codec or None")
    with building(target, codec or Codec()) as builder:
        end = _header(source, name)
        decode = msgspec.json.Decoder(_Line).decode
        for number, line in _lines(source, name, max_line_bytes):
            try:
                found = decode(line)
                builder.add(_stored(found), found.tags)
            except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
                reason = "it is cut short" if not line.endswith(b"\n") else f"it is not a commit ({error})"
                raise DamagedExport(name, number, reason) from error
            except DamagedCommit as error:
                raise DamagedExport(name, number, error.reason) from error
            if builder.head.position > end.position:
                raise DamagedExport(name, number, f"it goes beyond position {end.position}, where the header ends")
            if progress is not None and builder.commits % _PROGRESS_EACH == 0:
                progress(builder.head.position)
        _check_end(builder.head, end, builder.commits + 1, name)
        unknown = tuple(sorted(builder.checker.unknown_types))
        return Imported(builder.head, builder.commits, builder.head.position + 1, unknown)


@contextmanager
def new_export(target: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Yield a file to write, which is renamed to `target` at the end; see `new_file`."""
    with new_file(target, overwrite=overwrite) as partial:
        try:
            with open(partial, "wb") as file:
                yield file
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
                raise LogFull(printable(str(target)), error.strerror or str(error)) from error
            raise LogNotWritable(printable(str(target)), error.strerror or str(error)) from error


def end_of(log: ReadableLog, until: int | datetime | None) -> Head:
    """Return the end of the last whole commit at or before `until`: a position, a time, or None for the head."""
    if until is None:
        return log.head()
    position = log.resolve(until)
    while position >= 0:
        stored = log.commit_at(position)
        if stored.last_position <= position:
            return Head(stored.last_position, stored.digest, log.codec.metadata(stored).recorded_at)
        position = stored.first_position - 1
    return Head(-1, EMPTY_DIGEST, None)


def checked_commits(
    log: ReadableLog, end: Head, progress: Progress | None = None
) -> Iterator[tuple[StoredCommit, Commit]]:
    """Yield every commit up to `end`, stored and decoded; raise DamagedCommit for the first that is not sound."""
    checker = Checker(log.codec)
    for stored in log.stored(until=end.position):
        problems, commit = checker.check(stored)
        if problems or commit is None:
            raise DamagedCommit(stored.first_position, "; ".join(problems))
        yield stored, commit
        if progress is not None and checker.commits % _PROGRESS_EACH == 0:
            progress(stored.last_position)
    if (checker.head.position, checker.head.digest) != (end.position, end.digest):
        raise DamagedCommit(checker.head.position + 1, f"it does not lead to the log's end at position {end.position}")


class _Tags:
    """Finds the tags that cannot be computed from a commit's events. Opens the index once the first is needed."""

    def __init__(self, log: ReadableLog, stack: ExitStack) -> None:
        self._log = log
        self._stack = stack
        self._walk: IndexWalk | None = None

    def of(self, stored: StoredCommit, commit: Commit) -> dict[str, int | None]:
        """Return the index entries to export for a commit. Must be called for every commit, in order."""
        is_current = self._log.codec.catalogue.is_current(commit.metadata.types)
        if not isinstance(self._log, SqliteLog):
            return {} if is_current else stored.tags
        if self._walk is None:
            if is_current:
                return {}
            self._walk = self._stack.enter_context(self._log.walk_index(stored.first_position))
        entries = self._walk.entries_at(stored.first_position)
        if is_current:
            return {}
        if entries is None:
            raise DamagedCommit(stored.first_position, "its index entries cannot be read")
        return entries


def _header(source: BinaryIO, name: str) -> Head:
    line = source.readline(_MAX_HEADER_BYTES)
    if not line:
        raise NotAnExport(name, "it is empty")
    try:
        header = msgspec.json.decode(line, type=_Header)
        if header.format != EXPORT_FORMAT:
            raise NotAnExport(name, f"its format is {header.format[:80]!r}, not {EXPORT_FORMAT!r}")
        if header.version > EXPORT_VERSION:
            raise ExportTooNew(name, header.version, EXPORT_VERSION)
        return Head.from_text(header.head)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise NotAnExport(name, f"its first line is not a header: {error}") from error


def _lines(source: BinaryIO, name: str, limit: int) -> Iterator[tuple[int, bytes]]:
    """Yield the lines after the header with their numbers, starting at 2."""
    number = 1
    while line := source.readline(limit + 1):
        number += 1
        if len(line) > limit:
            raise DamagedExport(name, number, f"it is longer than {limit:,} bytes, the most that a commit can have")
        yield number, line


def _stored(line: _Line) -> StoredCommit:
    return StoredCommit(
        line.first_position,
        line.last_position,
        line.stream,
        line.first_version,
        bytes(line.metadata),
        bytes.fromhex(line.digest),
        bytes(line.events),
    )


def _check_end(found: Head, end: Head, last_line: int, name: str) -> None:
    if found.position < end.position:
        missing = end.position - found.position
        reason = f"the header says that the log ends at position {end.position}, but it ends at {found.position}"
        raise DamagedExport(name, last_line, f"{reason}, so {missing:,} events are missing")
    if found.digest != end.digest:
        raise DamagedExport(name, last_line, "its digest is not the one in the header")
