"""What all commands have in common: help, version, exit codes, logs, errors in one sentence."""

from __future__ import annotations

import json
import logging
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
from support.cli import COMMAND, here, odradek, produced, refused

import odradek as face
from odradek.cli.exit_codes import TABLE, ExitCode, exit_code_of, sentence_of

COMMANDS = [
    "simulate",
    "produce",
    "consume",
    "topics",
    "groups",
    "offsets",
    "log",
    "state",
    "diff",
    "verify",
    "stats",
    "backup",
]


def test_it_says_its_version() -> None:
    outcome = here("--version")
    assert (outcome.code, outcome.text) == (0, f"odradek {version('odradek')}\n")


def test_help_lists_every_command_and_every_exit_code() -> None:
    for outcome in (odradek("--help"), here()):
        assert outcome.code == 0
        assert all(f"\n  {command} " in outcome.text for command in COMMANDS)
        assert all(meaning in outcome.text for meaning in TABLE.values())
        assert "\x1b" not in outcome.text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    outcome = here(command, "--help")
    assert outcome.code == 0
    assert re.search(rf"Examples?:\n    odradek {command} ", outcome.text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], ["no such command 'nonsense'", "odradek --help"]),
        (["--nonsense"], ["no such option: --nonsense"]),
        (["produce"], ["missing argument 'LOG'", "odradek produce --help"]),
        (["consume", "x.db"], ["missing argument 'TOPIC'"]),
        (["state", "x.db", "y.db"], ["unexpected extra argument"]),
        (["simulate", "--messages", "many"], ["--messages", "'many' is not a whole number;"]),
        (["simulate", "--messages", "-1"], ["--messages", "-1 is not in the range x>=0;"]),
        (["simulate", "--key-skew", "nan"], ["--key-skew", "nan is not in the range 0<=x<=10;"]),
        (["simulate", "--key-skew", "x"], ["--key-skew", "'x' is not a number;"]),
        (["simulate", "--key-skew", "11"], ["--key-skew", "11.0 is not in the range 0<=x<=10;"]),
        (["log", "x.db", "--limit", "0"], ["--limit", "0 is not in the range x>=1;"]),
        (["trace", "x.db", "--format", "svg"], ["--format': 'svg' is not one of"]),
        (["--log-level", "loud", "stats", "x.db"], ["--log-level': 'loud' is not one of"]),
        (["--log-format", "xml", "stats", "x.db"], ["--log-format': 'xml' is not one of"]),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], words: list[str]) -> None:
    sentence = refused(here(*arguments), 2, *words)
    assert "Input should" not in sentence
    assert "alue error" not in sentence


def test_an_output_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    log = produced(tmp_path / "orders.db", "orders", b"x\n")
    with open("/dev/full", "wb") as full:
        process = subprocess.run([*COMMAND, "consume", str(log), "orders"], stdout=full, stderr=subprocess.PIPE)
    assert process.returncode == 5
    assert process.stderr == b"odradek: the output: No space left on device\n"


def test_logs_are_silent_unless_asked_for(tmp_path: Path) -> None:
    missing = tmp_path / "no.db"
    refused(here("stats", missing), 3, "there is no log")
    *logged, sentence = odradek("--log-level", "debug", "--log-format", "json", "stats", missing).complaint.splitlines()
    (entry,) = (json.loads(line) for line in logged)
    assert (entry["event"], entry["level"], entry["actor"]) == ("command failed", "debug", "command line")
    assert "LogNotFound" in entry["exception"]
    assert sentence.startswith("odradek: there is no log")
    text = odradek("--log-level", "debug", "stats", missing).complaint
    assert "command failed" in text
    assert "\x1b" not in text


def test_configure_logging_replaces_what_was_configured_before(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("odradek")
    before = logger.level, list(logger.handlers)
    try:
        face.configure_logging("info", json=True)
        face.configure_logging("warning", json=True)
        logger.info("not this")
        logger.warning("but this")
        (line,) = capsys.readouterr().err.splitlines()
        assert json.loads(line)["event"] == "but this"
        face.configure_logging("off")
        logger.critical("nor this")
        assert capsys.readouterr().err == ""
        with pytest.raises(ValueError, match="'loud' is not a log level; use debug, info"):
            face.configure_logging("loud")
    finally:
        logger.setLevel(before[0])
        logger.handlers[:] = before[1]


def test_what_is_in_no_table_is_a_bug_and_says_so() -> None:
    assert exit_code_of(KeyError("x")) is ExitCode.BUG
    assert sentence_of(KeyError("x")).startswith("a bug in Odradek: KeyError('x'); run it again with --log-level debug")


def test_every_error_of_ours_has_an_exit_code() -> None:
    kinds: list[type[BaseException]] = [face.LogError, face.DomainError, face.ActorError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        assert exit_code_of(kind.__new__(kind)) is not ExitCode.BUG, kind
