"""Reads a write-ahead log without SQLite, to find damage: intact frames after a bad one.

When SQLite opens a database that was not closed, it reads the frames of its write-ahead log up to the first one with a
wrong checksum, and ignores the rest. That is correct for a commit that a crash interrupted. After a flipped bit it
silently drops acknowledged commits, and the next commit overwrites them. So this module reads the frames before SQLite
opens the file. (The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log.)

A frame's checksum continues that of the previous frame. Each frame after a bad one can therefore still be checked
against the checksum stored in its predecessor. Two observations prove that a bad frame was once good:

- After it, an intact frame ends a commit, and the next frame is intact as well. SQLite starts a commit only when the
  previous one is complete, and synced if durability is full.
- One wrong 32-bit word, in the frame or in its header, explains the wrong checksum, and the commit is complete. An
  interrupted write leaves hundreds of wrong words, or, in the place of a frame of an older generation, a new header
  over an old page, which may differ from the new page in one word. SQLite writes frames in order, so such a frame is
  the last of its generation, and only if it ends a commit was anything acknowledged. The checksum is linear, so a wrong
  word at a known place changes both sums in a known ratio.

A normal end proves nothing: a partial frame, frames of an older generation (with other salts), frames of a transaction
that was rolled back. In the last commit, damage of more than one word cannot be distinguished from an interrupted
write.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

__all__ = ["Damage", "find_damage", "why_damaged"]

_HEADER = struct.Struct(">8I")  # magic, version, page size, checkpoint number, two salts, two checksums
_FRAME = struct.Struct(">6I")  # page, size of the database after a commit (else 0), two salts, two checksums
_MAGIC = 0x377F0682  # its last bit is set if checksums use big-endian words
_DATABASE_SIZE = 1  # its place among the words that a frame's checksum covers
_MASK = 0xFFFFFFFF

_Sums = tuple[int, int]


class Damage(NamedTuple):
    """What is damaged: the header of the write-ahead log as read, and the number of a bad frame, 0 for the header."""

    header: bytes
    frame: int
    text: str


class _Header(NamedTuple):
    """The header of a write-ahead log; `was_sound` if its checksum is right, or one wrong word explains it."""

    page_size: int
    salts: _Sums
    sums: _Sums
    word_order: str
    is_damaged: bool
    was_sound: bool


def why_damaged(path: str) -> str | None:
    """Return what is damaged in the write-ahead log of the database at `path`, or None.

    Looks until it finds the same twice, since another process may be writing: a frame that was being written is
    complete the second time. Takes about 60 microseconds per frame.
    """
    found = _look(f"{path}-wal")
    while found is not None:
        before, found = found, _look(f"{path}-wal")
        if found is not None and (found.header, found.frame) == (before.header, before.frame):
            return found.text
    return None


def find_damage(file: BinaryIO, size: int) -> Damage | None:
    """Return the first damage to a write-ahead log of `size` bytes, which starts at the place of an unbuffered `file`.

    Looks again if a writer replaced the header in the meantime: one look must not mix two generations.
    """
    raw = file.read(_HEADER.size)
    while size > _HEADER.size and any(raw):
        header = _read_header(raw)
        found = _damage(file, header, (size - _HEADER.size) // (_FRAME.size + header.page_size))
        if found is None:
            return None
        file.seek(0)
        before, raw = raw, file.read(_HEADER.size)
        if raw == before:
            return Damage(raw, *found)
    return None


def _look(path: str) -> Damage | None:
    try:
        with open(path, "rb", buffering=0) as file:
            return find_damage(file, os.fstat(file.fileno()).st_size)
    except OSError:  # SQLite will report the error
        return None


def _read_header(raw: bytes) -> _Header:
    magic, _, page_size, _, *rest = _HEADER.unpack(raw)
    salts, sums = (rest[0], rest[1]), (rest[2], rest[3])
    is_size = 512 <= page_size <= 65536 and page_size & (page_size - 1) == 0
    order = ">" if magic & 1 else "<"
    is_sound = magic & ~1 == _MAGIC and _checksum((0, 0), _words(raw[:24], order)) == sums
    was_sound = is_sound or any(
        _wrong_word(words := _words(raw[:24], either), _checksum((0, 0), words), sums) is not None for either in "<>"
    )
    return _Header(page_size if is_size else 4096, salts, sums, order, not is_sound, was_sound)


def _damage(file: BinaryIO, header: _Header, count: int) -> tuple[int, str] | None:
    """Check the frames in order; `sums` has the checksum of the previous one. Returns the number of the bad one.

    If a wrong word explains the bad frame, that may be a word of the stored checksum, so the computed one counts too.
    """
    damage = (0, "its header is damaged") if header.is_damaged else None
    salts = None if header.is_damaged else header.salts
    sums = {header.sums}
    if header.is_damaged and header.was_sound and count > 0:
        return damage
    is_end_of_commit = False  # whether the previous frame is intact, comes after the bad one, and ends a commit
    is_explained = False  # whether one wrong word explains the bad frame, which is not the end of a commit
    for number in range(1, count + 1):
        raw = file.read(_FRAME.size + header.page_size)
        if len(raw) < _FRAME.size + header.page_size:
            return None  # truncated in the meantime
        page, database_size, *rest = _FRAME.unpack(raw[: _FRAME.size])
        its_salts, its_sums = (rest[0], rest[1]), (rest[2], rest[3])
        salts = salts or its_salts
        is_intact = False
        if its_salts == salts or damage is None:
            words = _words(raw[:8] + raw[_FRAME.size :], header.word_order)
            expected = {_checksum(before, words) for before in sums}
            is_intact = its_sums in expected and its_salts == salts and page > 0
            if damage is None and not is_intact:
                damage = number, f"frame {number} of {count} is damaged"
                wrong = _wrong_word(words, next(iter(expected)), its_sums) if its_salts == salts else None
                if its_sums in expected or (wrong is not None and (database_size > 0 or wrong == _DATABASE_SIZE)):
                    return damage
                if wrong is not None:
                    is_explained = True
                    sums = {its_sums, *expected}
                    continue
        ends_commit = damage is not None and is_intact and database_size > 0
        if (is_intact and is_end_of_commit) or (is_explained and ends_commit):
            return damage
        is_end_of_commit = ends_commit
        sums = {its_sums}
    return None


def _words(raw: bytes, order: str) -> tuple[int, ...]:
    return struct.unpack(f"{order}{len(raw) // 4}I", raw)


def _checksum(sums: _Sums, words: Sequence[int]) -> _Sums:
    first, second = sums
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second


def _wrong_word(words: Sequence[int], expected: _Sums, stored: _Sums) -> int | None:
    """Return the place of the only wrong word, -1 for one of the stored sums, or None if no single word explains it.

    A word that is off by e changes the sums by (e * a, e * b), where a and b depend only on its place. One of them is
    odd, so the change has that form exactly if the cross product is zero.
    """
    shift = (stored[0] - expected[0]) & _MASK, (stored[1] - expected[1]) & _MASK
    if 0 in shift:
        return -1
    even, odd = (1, 1), (0, 1)  # the ratios of the two words of a step, seen from the end
    for step in range(len(words) - 2, -1, -2):
        for place, (a, b) in ((step, even), (step + 1, odd)):
            if (a * shift[1] - b * shift[0]) & _MASK == 0:
                return place
        even = (even[0] + even[1]) & _MASK, (even[0] + 2 * even[1]) & _MASK
        odd = (odd[0] + odd[1]) & _MASK, (odd[0] + 2 * odd[1]) & _MASK
    return None
