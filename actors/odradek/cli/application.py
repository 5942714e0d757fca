"""The application around the commands: streams fit for pipes, and for every error one sentence and one exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from io import TextIOWrapper
from typing import Any

import typer

from odradek.cli.exit_codes import CommandError, ExitCode, exit_code_of, sentence_of

__all__ = ["Application"]

_WANTED = {
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "greater_than_equal": "a number from {ge} on",
    "less_than_equal": "a number up to {le}",
}


class Application(typer.Typer):
    """Typer without its own way with errors: nothing here prints a traceback or a box around a mistake."""

    def __call__(self, *args: Any, **kwargs: Any) -> int:
        """Run the command line and return its exit code."""
        _open_closed_streams()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):  # whatever the locale: logs and names are UTF-8
                stream.reconfigure(encoding="utf-8", errors="surrogateescape")
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # what a supervisor sends ends as orderly as Ctrl-C
        try:
            result = self._main(*args, **{"prog_name": "odradek", **kwargs, "standalone_mode": False})
            sys.stdout.flush()
        except (KeyboardInterrupt, typer.Abort):
            result = ExitCode.INTERRUPTED
        except BrokenPipeError:
            return _close_output(ExitCode.OUTPUT_CLOSED)
        except SystemExit as error:
            if isinstance(error.__context__, BrokenPipeError):  # Typer gets to see it first, and exits with 1
                return _close_output(ExitCode.OUTPUT_CLOSED)
            raise
        except Exception as error:
            return _close_output(_fail(error))
        if result == ExitCode.INTERRUPTED:  # Typer's answer to Ctrl-C where the command had nothing to say
            return _close_output(_fail(CommandError("interrupted", ExitCode.INTERRUPTED)))
        return int(result) if isinstance(result, int) else ExitCode.OK

    @cached_property
    def _main(self) -> Callable[..., Any]:
        """The command line as Typer builds it; a second call in one process does not build it again."""
        return typer.main.get_command(self).main


def _open_closed_streams() -> None:
    """A stream that the caller has closed is None in Python: let it lead nowhere instead."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # open until the process ends


def _fail(error: Exception) -> ExitCode:
    """Say what went wrong, in one sentence, and return the exit code."""
    usage = getattr(error, "format_message", None)
    if usage is not None:
        code, sentence = ExitCode.USAGE, _usage_sentence(error, str(usage()))
    else:
        from odradek_actors.logs import get_logger

        code, sentence = exit_code_of(error), sentence_of(error)
        level = logging.ERROR if code is ExitCode.BUG else logging.DEBUG
        get_logger(actor="command line").log(level, "command failed", error=repr(error), exc_info=error)
    with suppress(OSError):
        print(f"odradek: {sentence}", file=sys.stderr, flush=True)  # noqa: T201  # this is where commands speak
    return code


def _usage_sentence(error: Exception, message: str) -> str:
    problem = _problem(error)
    if problem is not None:
        message = message.replace(str(getattr(error, "message", "")), problem)
    text = " ".join(message.split()).rstrip(".")
    context = getattr(error, "ctx", None)
    path = "odradek" if context is None else context.command_path
    return f"{text[:1].lower()}{text[1:]}; see '{path} --help'"


def _problem(error: Exception) -> str | None:
    """Say in our words what Pydantic found, which newer Typers let speak; None for what it did not find."""
    found = getattr(error.__cause__, "errors", None)
    if found is None:
        return None
    first = found()[0]
    form = _WANTED.get(first["type"])
    if form is None:
        return str(first["msg"]).removeprefix("Value error, ")
    return f"{str(first['input'])[:80]!r} is not {form.format(**first.get('ctx', {}))}"


def _close_output(code: ExitCode) -> ExitCode:
    """Flush what can still be written, so that the interpreter does not complain about the rest at exit."""
    try:
        sys.stdout.flush()
        is_lost = code is ExitCode.OUTPUT_CLOSED
    except OSError:
        is_lost = True
    if is_lost:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return code
