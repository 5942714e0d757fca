"""What holds an exception is visible to the garbage collector, since the frames of a traceback refer back to it."""

from __future__ import annotations

import gc
import importlib
import typing
import weakref
from collections.abc import Iterator

import msgspec
import pytest
from support.log import at, created
from support.source_tree import MODULES

from odradek_actors.messages.core import Reply
from odradek_events import Append, MemoryLog, Rejected


class Refused(Exception):
    """An error that can be referred to weakly."""


def untracked_structs() -> Iterator[type[msgspec.Struct]]:
    """Yield the structs that the garbage collector does not track."""
    for module, path in MODULES.items():
        if "gc=False" in path.read_text(encoding="utf-8"):
            for found in vars(importlib.import_module(module)).values():
                if isinstance(found, type) and issubclass(found, msgspec.Struct) and not found.__struct_config__.gc:
                    yield found


def holds_an_exception(hint: object) -> bool:
    if isinstance(hint, type):
        return issubclass(hint, BaseException)
    return any(map(holds_an_exception, typing.get_args(hint)))


def test_no_struct_that_is_not_tracked_holds_an_exception() -> None:
    structs = set(untracked_structs())
    assert len(structs) > 20
    for struct in structs:
        hints = typing.get_type_hints(struct)
        assert [name for name in struct.__struct_fields__ if holds_an_exception(hints[name])] == [], struct


def test_the_error_of_a_rejected_append_is_collected() -> None:
    with MemoryLog() as log:
        (verdict,) = log.append([Append(stream="topic/a", events=[created("a")], expected_version=7)], at(0))
        assert isinstance(verdict, Rejected)
        error = weakref.ref(verdict.error)
        del verdict
        gc.collect()
        assert error() is None


def test_the_error_in_a_reply_is_collected_even_if_it_was_raised_next_to_the_reply() -> None:
    def raise_it(reply: Reply) -> None:
        raise reply.value

    error = Refused()
    known = weakref.ref(error)
    with pytest.raises(Refused):
        raise_it(Reply(1, error))
    del error
    gc.collect()
    assert known() is None
