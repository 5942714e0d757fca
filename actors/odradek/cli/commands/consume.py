"""`odradek consume`: print the messages of a topic.

Without a group it reads the log, also while another process writes it, and records nothing. With a group it is the
log's writer: it polls, flushes its output, and then commits. Messages whose output was lost are delivered again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, Literal, cast

import typer

import odradek
from odradek.cli.exit_codes import CommandError, ExitCode
from odradek.cli.formats.messages import FORMAT_HELP, Formatter, Readable, make_formatter
from odradek.cli.opening import open_reader, open_system
from odradek.cli.options import DurabilityOption, ExistingLog, bad_value, group_id, topic_name
from odradek.cli.options import consumer_id as parse_consumer_id
from odradek.cli.output import harmless, is_terminal, raw_output, write_all

__all__ = ["consume"]

_CHUNK = 5000
Begin = int | Literal["earliest", "latest"]


def consume(
    log: ExistingLog,
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="The topic to read.")],
    group: Annotated[
        str | None,
        typer.Option(
            help="Read as a member of this group: continue at its committed offsets, and commit what was printed."
        ),
    ] = None,
    consumer_id: Annotated[
        str | None, typer.Option(help="The member's consumer id; needs --group.", show_default="<group>-1")
    ] = None,
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="earliest|latest|OFFSET",
            help="Where to start. In a group, earliest and latest apply only to partitions without a committed offset.",
        ),
    ] = "earliest",
    max_: Annotated[int | None, typer.Option("--max", min=1, help="Stop after this many messages.")] = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Wait for more messages at the end, until --max or Ctrl-C. Not with --group."),
    ] = False,
    format_: Annotated[str, typer.Option("--format", help=FORMAT_HELP)] = "%v",
    durability: DurabilityOption = "full",
) -> None:
    """Print the messages of a topic.

    Without --group it only reads: it records nothing, and works while another process writes the log. With --group it
    is the log's only writer. Files and pipes get the bytes of the messages; on a terminal, control characters are
    escaped.

    \b
    Example:
      odradek consume orders.db orders --format '%p %o %k %v' --max 10
    """
    name = topic_name("TOPIC", topic)
    begin = _parse_begin(from_)
    printer = _Printer(make_formatter(format_), max_)
    if group is None and consumer_id is not None:
        raise bad_value("--consumer-id", "it needs --group; without a group no consumer is recorded")
    if group is not None and follow:
        raise bad_value(
            "--follow", "not with --group: this process is then the only writer, so no message could arrive"
        )
    try:
        if group is None:
            _look(log, name, begin, follow, printer)
        else:
            member = parse_consumer_id("--consumer-id", f"{group}-1" if consumer_id is None else consumer_id)
            with open_system(log, durability=durability, must_exist=True) as system:
                system.describe_topic(name)  # TopicNotFound, before anything is recorded
                reset = begin if isinstance(begin, str) else "earliest"
                with system.consumer(member, group_id("--group", group), auto_offset_reset=reset) as consumer:
                    consumer.subscribe([name])
                    consumer.wait_for_assignment()
                    if isinstance(begin, int):
                        _seek(consumer, system.describe_topic(name), begin)
                    _take_part(consumer, printer)
    except KeyboardInterrupt:
        raise CommandError(f"interrupted after {printer.count} messages", ExitCode.INTERRUPTED) from None


def _parse_begin(text: str) -> Begin:
    if text in ("earliest", "latest"):
        return cast(Begin, text)
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    raise bad_value("--from", f"{text[:80]!r} is not a place to start; use earliest, latest, or an offset like 41")


class _Printer:
    """Writes messages, at most as many as asked for."""

    def __init__(self, format: Formatter, most: int | None) -> None:
        self.count = 0
        self._format = format
        self._most = most
        self._output = raw_output()
        self._is_terminal = is_terminal()

    @property
    def room(self) -> int:
        """How many messages may still be printed, at most one chunk."""
        return _CHUNK if self._most is None else min(_CHUNK, self._most - self.count)

    def print(self, messages: Iterable[Readable]) -> int:
        """Write and flush up to `room` messages; return how many."""
        lines = [self._format(message) for message in islice(messages, self.room)]
        if self._is_terminal:
            lines = [harmless(line.decode(errors="backslashreplace")).encode() for line in lines]
        self.count += len(lines)  # before writing, so that every message a reader has seen is counted
        write_all(self._output, b"".join(lines))
        self._output.flush()
        return len(lines)


def _look(path: str, topic: str, begin: Begin, follow: bool, printer: _Printer) -> None:
    """Print what the log has, without joining a group."""
    from odradek_domain.replay.topic_reader import TopicReader

    with open_reader(path) as log:
        reader = TopicReader(log, topic)
        if begin == "latest":
            reader.begin_at_end()
        elif isinstance(begin, int):
            reader.begin_at(begin)
        while True:
            head = log.head().position  # before reading, so that what is appended meanwhile ends the wait
            messages: Iterator[Readable] = reader.read()
            while printer.room and printer.print(messages):
                pass
            if not follow or not printer.room:
                return
            log.wait_for(head + 1)


def _seek(consumer: odradek.ConsumerHandle, topic: odradek.TopicDescription, offset: int) -> None:
    """Start every partition at an offset, or at its nearest end if it does not have that offset."""
    from odradek_domain.topic.bounds import begin_offsets

    for partition, nearest in begin_offsets(topic.name, topic.partitions, offset).items():
        consumer.seek(topic.name, partition, nearest)


def _take_part(consumer: odradek.ConsumerHandle, printer: _Printer) -> None:
    """Print what the group has not processed, and commit what was flushed."""
    while printer.room:
        messages: list[Any] = consumer.poll(printer.room, timeout=0)
        if not messages:
            return
        printer.print(messages)
        consumer.commit()
