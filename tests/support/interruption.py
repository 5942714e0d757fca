"""Interrupts a call at every bytecode instruction that it executes, one after the other."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

__all__ = ["Interrupted", "interruptions"]

_ROOT = str(Path(__file__).parents[2])


# The attribute whose store marks something as returned, by the function that returns it.
_MARKS = {"poll": "taken", "messages": "taken", "take": "position", "__next__": "position"}


class Interrupted(BaseException):
    """An exception as a signal handler may raise it at any moment."""


def interruptions(*roots: str) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Yield a function for each instruction: it runs a call, and raises Interrupted at an instruction not yet met.

    Ends once a call runs through without meeting a new one. Only this thread's frames in these source roots count, by
    default in all of them.
    """
    sources = tuple(f"{_ROOT}/{root}/odradek" for root in roots or ("actors", "domain", "events"))
    met: set[tuple[CodeType, int]] = set()
    is_new = True

    def on_event(frame: FrameType, event: str, _: object) -> Any:
        nonlocal is_new
        if event == "opcode":
            place = frame.f_code, frame.f_lasti
            if place not in met and frame.f_lasti not in _beyond_signals(frame.f_code):
                met.add(place)
                is_new = True
                raise Interrupted
        return on_event

    def on_call(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(sources):
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return on_event

    def run(call: Callable[[], Any]) -> Any:
        before = sys.gettrace()
        sys.settrace(on_call)
        try:
            return call()
        finally:
            sys.settrace(before)

    while is_new:
        is_new = False
        yield run


@cache
def _beyond_signals(code: CodeType) -> frozenset[int]:
    """Return the instructions between the store that marks something as returned, and its return.

    The interpreter handles signals at calls, at the start of functions and at backward jumps: none of them lies there.
    """
    exempt: set[int] = set()
    is_marked = False
    for instruction in dis.get_instructions(code):
        if is_marked:
            assert "CALL" not in instruction.opname, (
                f"{code.co_name} must not call anything after it marks something as returned"
            )
            exempt.add(instruction.offset)
            is_marked = instruction.opname not in ("RETURN_VALUE", "YIELD_VALUE", "JUMP_BACKWARD")
        elif instruction.opname == "STORE_ATTR" and instruction.argval == _MARKS.get(code.co_name):
            is_marked = True
    return frozenset(exempt)
