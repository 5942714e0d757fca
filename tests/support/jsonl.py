"""A log as a third party might write it: JSON Lines, one commit per line, with all commits also in memory."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from odradek_events import Append, Failed, Head, LogStore, Rejected
from odradek_events.errors import DamagedCommit, LogFull, LogUnavailable, OutcomeUnknown, PositionBeyondHead
from odradek_events.log.judging import EMPTY_DIGEST, judge
from odradek_events.record import StoredCommit, Verdict
from odradek_events.sqlite.writer_lock import WriterLock


class JsonLinesLog(LogStore):
    """A log in the file at `path`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(str(path))
        self._path = Path(path)
        self._lock = WriterLock(self._path, self.name)
        self._writing = threading.Lock()
        self._is_closed = self._must_reopen = False
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        self._rows: list[StoredCommit] = []
        self._file = self._path.open("ab+")
        self._file.seek(0)
        for line in self._file.read().splitlines(keepends=True):
            if not line.endswith(b"\n"):  # a partial line of a killed writer, so it was not acknowledged
                self._file.truncate(self._file.tell() - len(line))
                break
            try:
                self._rows.append(msgspec.json.decode(line, type=StoredCommit))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise DamagedCommit(len(self._rows), f"its line cannot be decoded ({error})") from error
        self.head()

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        with self._writing:
            if self._is_closed or self._must_reopen:
                raise LogUnavailable(self.name, "it is closed" if self._is_closed else "reopen it first")
            judged = judge(requests, recorded_at, self.head(), self.stream_version, self)
            end = self._file.seek(0, os.SEEK_END)
            try:
                self._file.write(b"".join(msgspec.json.encode(row) + b"\n" for row in judged.rows))
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                return self._not_written(error, end, judged.verdicts)
            self._rows = [*self._rows, *judged.rows]
        self.growth.notify()
        return judged.verdicts

    def _not_written(self, error: OSError, end: int, verdicts: list[Verdict]) -> list[Verdict]:
        if error.errno == errno.ENOSPC:
            os.truncate(self._path, end)
            outcome: Verdict = Rejected(LogFull(self.name, str(error)))
        else:
            outcome = Failed(OutcomeUnknown(self.name, str(error)))
            self._must_reopen = True
        return [verdict if isinstance(verdict, Rejected) else outcome for verdict in verdicts]

    def reopen(self) -> None:
        with self._writing:
            self._file.close()
            self._load()
            self._must_reopen = False

    def head(self) -> Head:
        if not self._rows:
            return Head(-1, EMPTY_DIGEST, None)
        last = self._rows[-1]
        return Head(last.last_position, last.digest, self.codec.metadata(last).recorded_at)

    def stored(
        self,
        *,
        after: int = -1,
        until: int | None = None,
        stream: str | None = None,
        tags: Collection[str] = (),
        types: Collection[str] = (),
    ) -> Iterator[StoredCommit]:
        kinds = {f"type:{name}" for name in types}
        for row in self._rows:
            is_within = row.last_position > after and (until is None or row.first_position <= until)
            is_meant = stream in (None, row.stream) and set(tags) <= row.tags.keys()
            if is_within and is_meant and (not kinds or kinds & row.tags.keys()):
                yield row

    def locate(self, tag: str, offset: int, not_before: int = 0) -> int | None:
        entries = [(row.tags.get(tag), row.first_position) for row in self._rows if row.first_position >= not_before]
        return max(((o, p) for o, p in entries if o is not None and o <= offset), default=(0, None))[1]

    def commit_at(self, position: int) -> StoredCommit:
        for row in self._rows:
            if row.first_position <= position <= row.last_position:
                return row
        raise PositionBeyondHead(position, self.head().position)

    def stream_version(self, stream: str) -> int:
        ends = (
            row.first_version + row.last_position - row.first_position for row in self._rows if row.stream == stream
        )
        return max(ends, default=-1)

    def streams(self) -> Iterator[str]:
        yield from sorted({row.stream for row in self._rows})

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._file.close()
            self._lock.release()
            self.growth.notify()
