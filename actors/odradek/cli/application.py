"""Runs the commands: prepares the standard streams, and turns every error into one sentence and an exit code."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

import typer

from odradek.cli.exit_codes import CommandError, ExitCode, exit_code_of, sentence_of
from odradek.cli.standard_streams import prepare_standard_streams

__all__ = ["Application"]

_NUMBERS = {"int": "a whole number", "float": "a number"}  # as we call the types that Typer names


class Application(typer.Typer):
    """A Typer that reports every error in one sentence, without a traceback and without a box."""

    def __call__(self, *args: Any, **kwargs: Any) -> int:
        """Run the command line and return its exit code."""
        prepare_standard_streams()
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a supervisor ends a command as Ctrl-C does
        try:
            result = self._main(*args, **{"prog_name": "odradek", **kwargs, "standalone_mode": False})
            sys.stdout.flush()
        except (KeyboardInterrupt, typer.Abort):
            result = ExitCode.INTERRUPTED
        except BrokenPipeError:
            return _close_output(ExitCode.OUTPUT_CLOSED)
        except SystemExit as error:
            if isinstance(error.__context__, BrokenPipeError):  # Typer catches it first, and exits with 1
                return _close_output(ExitCode.OUTPUT_CLOSED)
            raise
        except Exception as error:
            return _close_output(_fail(error))
        if result == ExitCode.INTERRUPTED:  # what Typer returns if a command does not handle Ctrl-C
            return _close_output(_fail(CommandError("interrupted", ExitCode.INTERRUPTED)))
        return int(result) if isinstance(result, int) else ExitCode.OK

    @cached_property
    def _main(self) -> Callable[..., Any]:
        """The command line as Typer builds it; a second call in one process does not build it again."""
        return typer.main.get_command(self).main


def _fail(error: Exception) -> ExitCode:
    """Print what went wrong, in one sentence, and return the exit code."""
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
    text = " ".join(message.split()).rstrip(".")
    text = re.sub(r"a valid (int|float)(eger)?( range)?$", lambda found: _NUMBERS[found[1]], text)
    context = getattr(error, "ctx", None)
    path = "odradek" if context is None else context.command_path
    if getattr(error, "option_name", None) == "--module":
        return "--module stands before the command: odradek --module MODULE COMMAND; see 'odradek --help'"
    return f"{text[:1].lower()}{text[1:]}; see '{path} --help'"


def _close_output(code: ExitCode) -> ExitCode:
    """Flush what can still be written, so that the interpreter does not report the rest when it exits."""
    try:
        sys.stdout.flush()
        is_lost = code is ExitCode.OUTPUT_CLOSED
    except OSError:
        is_lost = True
    if is_lost:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return code
