"""Reads a write-ahead log without SQLite, to find damage: intact frames after a bad one.

When SQLite opens a database that was not closed, it reads the frames of its write-ahead log up to the first one with a
wrong checksum, and ignores the rest. That is correct for a commit that a crash interrupted. After a flipped bit it
silently drops acknowledged commits, and the next commit overwrites them. So this module reads the frames before SQLite
opens the file. (The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log.)

A frame's checksum continues that of the previous frame. Each frame after a bad one can therefore still be checked
against the checksum stored in its predecessor. Two observations prove that a bad frame was once good:

- After it, an intact frame ends a commit, and the next frame is intact as well. SQLite starts a commit only when the
  previous one is complete, and synced if durability is full.
- One wrong 32-bit word, in the frame or in its header, explains the wrong checksum. An interrupted write leaves
  hundreds of wrong words. The checksum is linear, so a wrong word at a known place changes both sums in a known ratio.

A normal end proves nothing: a partial frame, frames of an older generation (with other salts), frames of a transaction
that was rolled back. In the last commit, damage of more than one word cannot be distinguished from an interrupted
write.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

__all__ = ["why_damaged"]

_HEADER = struct.Struct(">8I")  # magic, version, page size, checkpoint number, two salts, two checksums
_FRAME = struct.Struct(">6I")  # page, size of the database after a commit (else 0), two salts, two checksums
_MAGIC = 0x377F0682  # its last bit is set if checksums use big-endian words
_MASK = 0xFFFFFFFF

_Sums = tuple[int, int]


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

    Reads twice, since another process may be writing: a frame that was just being written is complete the second time.
    Takes about 60 microseconds per frame.
    """
    found = _look(f"{path}-wal")
    return found if found is not None and found == _look(f"{path}-wal") else None


def _look(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            raw = file.read(_HEADER.size)
            if size <= _HEADER.size or not any(raw):
                return None
            header = _read_header(raw)
            return _damage(file, header, (size - _HEADER.size) // (_FRAME.size + header.page_size))
    except OSError:  # SQLite will report the error
        return None


def _read_header(raw: bytes) -> _Header:
    magic, _, page_size, _, *rest = _HEADER.unpack(raw)
    salts, sums = (rest[0], rest[1]), (rest[2], rest[3])
    is_size = 512 <= page_size <= 65536 and page_size & (page_size - 1) == 0
    order = ">" if magic & 1 else "<"
    is_sound = magic & ~1 == _MAGIC and _checksum((0, 0), _words(raw[:24], order)) == sums
    was_sound = is_sound or any(
        _explains(words := _words(raw[:24], either), _checksum((0, 0), words), sums) for either in "<>"
    )
    return _Header(page_size if is_size else 4096, salts, sums, order, not is_sound, was_sound)


def _damage(file: BinaryIO, header: _Header, count: int) -> str | None:
    """Check the frames in order. `sums` is the checksum stored in the previous frame."""
    damage = "its header is damaged" if header.is_damaged else None
    salts = None if header.is_damaged else header.salts
    sums = header.sums
    if header.is_damaged and header.was_sound and count > 0:
        return damage
    is_end_of_commit = False  # whether the previous frame is intact, comes after the bad one, and ends a commit
    for number in range(1, count + 1):
        raw = file.read(_FRAME.size + header.page_size)
        page, database_size, *rest = _FRAME.unpack(raw[: _FRAME.size])
        its_salts, its_sums = (rest[0], rest[1]), (rest[2], rest[3])
        salts = salts or its_salts
        is_intact = False
        if its_salts == salts or damage is None:
            words = _words(raw[:8] + raw[_FRAME.size :], header.word_order)
            expected = _checksum(sums, words)
            is_intact = its_sums == expected and its_salts == salts and page > 0
            if damage is None and not is_intact:
                damage = f"frame {number} of {count} is damaged"
                if its_sums == expected or (its_salts == salts and _explains(words, expected, its_sums)):
                    return damage
        if is_intact and is_end_of_commit:
            return damage
        is_end_of_commit = damage is not None and is_intact and database_size > 0
        sums = its_sums
    return None


def _words(raw: bytes, order: str) -> tuple[int, ...]:
    return struct.unpack(f"{order}{len(raw) // 4}I", raw)


def _checksum(sums: _Sums, words: Sequence[int]) -> _Sums:
    first, second = sums
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second


def _explains(words: Sequence[int], expected: _Sums, stored: _Sums) -> bool:
    """Say whether a single wrong word, covered by the checksum or part of it, explains the stored checksum.

    A word that is off by e changes the sums by (e * a, e * b), where a and b depend only on its place. One of them is
    odd, so the change has that form exactly if the cross product is zero.
    """
    shift = (stored[0] - expected[0]) & _MASK, (stored[1] - expected[1]) & _MASK
    if 0 in shift:
        return True
    even, odd = (1, 1), (0, 1)  # the ratios of the two words of a step, seen from the end
    for _ in range(len(words) // 2):
        for a, b in (even, odd):
            if (a * shift[1] - b * shift[0]) & _MASK == 0:
                return True
        even = (even[0] + even[1]) & _MASK, (even[0] + 2 * even[1]) & _MASK
        odd = (odd[0] + odd[1]) & _MASK, (odd[0] + 2 * odd[1]) & _MASK
    return False
