"""Tokens: one line of text from which a run can be repeated.

A token holds the recipe of the run, a hash of the code that ran, and checkpoints: the digest of the picks at up to 8
steps. A replay that takes another course differs at a checkpoint, so it cannot pass for a repetition.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from odradek_simulation.choices.streams import Recipe
from odradek_simulation.errors import InvalidToken

__all__ = ["Checkpoint", "Token", "code_of", "name_of", "thinned"]

_PREFIX = "odradek1."
_MOST_CHECKPOINTS = 8
_MAX_TOKEN = 1 << 20
_OURS = ("odradek_events", "odradek_domain", "odradek_actors", "odradek_simulation")

Checkpoint = tuple[int, int]
"""A number of steps, and the lower 16 bits of the digest of the picks until then."""


class Token(msgspec.Struct, frozen=True, array_like=True):
    """A recipe, the hash of the product and of the target, the number of steps, the checkpoints, and the target's name.

    The name is "" for a target that cannot be imported by name.
    """

    recipe: Recipe
    product: bytes
    target: bytes
    steps: int
    checkpoints: tuple[Checkpoint, ...] = ()
    name: str = ""

    def __str__(self) -> str:
        """Return the token as one line of letters, digits, dashes and underscores."""
        packed = zlib.compress(msgspec.msgpack.encode(self), 9)
        sealed = packed + zlib.crc32(packed).to_bytes(4, "big")
        return _PREFIX + base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Token:
        """Return the token of a line; InvalidToken for anything else."""
        if not isinstance(text, str):
            raise TypeError(f"a token is a str, not {type(text).__name__}")
        text = "".join(text.split())
        if not text.startswith(_PREFIX):
            if text.startswith("odradek") and text.partition(".")[0][7:].isdigit():
                raise InvalidToken(f"{text[:24]!r} was made by another version of Odradek, whose tokens differ")
            raise InvalidToken(f"{text[:24]!r} is not a token, which begins with {_PREFIX}")
        if len(text) > _MAX_TOKEN:
            raise InvalidToken(f"a token of {len(text)} characters is too long")
        body = text[len(_PREFIX) :]
        try:
            sealed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            packed, check = sealed[:-4], int.from_bytes(sealed[-4:], "big")
            if zlib.crc32(packed) != check:
                raise ValueError("checksum")
            unpacker = zlib.decompressobj()
            plain = unpacker.decompress(packed, 64 * _MAX_TOKEN)
            return msgspec.msgpack.decode(plain, type=cls)
        except (binascii.Error, ValueError, zlib.error, msgspec.DecodeError):
            raise InvalidToken(f"the token {text[:24]}... is damaged or incomplete") from None


def thinned(checkpoints: list[Checkpoint]) -> tuple[Checkpoint, ...]:
    """Return at most 8 of the checkpoints, evenly spaced, with the last one."""
    stride = -(-len(checkpoints) // _MOST_CHECKPOINTS) or 1
    return tuple(checkpoints[::-1][::stride][::-1])


def name_of(target: Callable[..., Any]) -> str:
    """Return `module:function`, by which another process finds the target, or "" if it would not find it."""
    module, name = getattr(target, "__module__", None) or "", getattr(target, "__qualname__", "")
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}:{name}" if found is target and module != "__main__" else ""


def code_of(target: Callable[..., Any]) -> tuple[bytes, bytes]:
    """Return short hashes of the product's source and of the file that defines the target, b"" if it has none."""
    path = getattr(sys.modules.get(getattr(target, "__module__", "")), "__file__", None)
    if path is None or not os.path.isfile(path):
        return _product(), b""
    return _product(), _hash_of(path, os.stat(path).st_mtime_ns)


@lru_cache(maxsize=64)
def _hash_of(path: str, _changed_at: int) -> bytes:
    return hashlib.sha256(Path(path).read_bytes()).digest()[:4]


@cache
def _product() -> bytes:
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.digest()[:4]


def _sources() -> Iterator[Path]:
    for name in _OURS:
        for root in getattr(sys.modules.get(name), "__path__", ()):
            yield from sorted(Path(root).rglob("*.py"))
