"""`odradek produce`: store every line of a file or of stdin as a message.

The length of a line is limited, so that a line without an end cannot fill memory. Lines are gathered into batches, and
several batches are in flight while the next one is read.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, BinaryIO

import msgspec
import typer

import odradek
from odradek.cli.exit_codes import CommandError, ExitCode, exit_code_of, sentence_of
from odradek.cli.opening import open_input, open_system
from odradek.cli.options import (
    MAX_PARTITIONS,
    DurabilityOption,
    ExistingLog,
    JsonOption,
    bad_value,
    producer_id,
    topic_name,
)
from odradek.cli.output import bar, json_line, line, tell

__all__ = ["Stored", "Summary", "produce", "send_lines"]

_IN_FLIGHT = 8
_BATCH_BYTES = 4 << 20
Entry = tuple[bytes | None, bytes]


class Stored(msgspec.Struct):
    """What was stored in one partition."""

    partition: int
    messages: int
    first_offset: int
    last_offset: int
    first_position: int
    last_position: int


class Summary(msgspec.Struct):
    """What was stored, and where."""

    log: str
    topic: str
    stored: int
    partitions: list[Stored]


def produce(
    log: ExistingLog,
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="The topic, created if it does not exist.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file to read; - is stdin.")] = "-",
    key_separator: Annotated[
        str | None,
        typer.Option(
            help="What separates key and value in a line; without it a line has no key. By default no line has one."
        ),
    ] = None,
    partitions: Annotated[
        int | None, typer.Option(min=1, max=MAX_PARTITIONS, help="Partitions of the topic, if it does not exist yet.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Lines of a batch, which become durable together.")] = 1000,
    client_id: Annotated[str, typer.Option(help="The producer's identity.")] = "odradek-produce",
    durability: DurabilityOption = "full",
    json: JsonOption = False,
) -> None:
    """Store every line of a file as a message, byte for byte.

    The newline is not part of the message.

    \b
    Example:
      odradek produce orders.db orders --key-separator : < orders.txt
    """
    name = topic_name("TOPIC", topic)
    identity = producer_id("--client-id", client_id)
    if key_separator == "":
        raise bad_value("--key-separator", "it must not be empty; leave the option out to send no keys")
    separator = None if key_separator is None else os.fsencode(key_separator)
    with open_input(file) as source, open_system(log, durability=durability) as system:
        if partitions is not None:
            _ensure(system, name, partitions)
        producer = system.producer(identity)
        stored = send_lines(producer, name, source, separator=separator, batch=batch)
        producer.close()
    summary = Summary(log, str(name), sum(part.messages for part in stored), stored)
    if json:
        json_line(summary)
    else:
        _print(summary)


def _ensure(system: odradek.ActorSystem, topic: str, partitions: int) -> None:
    try:
        system.create_topic(topic, partitions)
    except odradek.errors.TopicAlreadyExists:
        there = len(system.describe_topic(topic).partitions)
        if there != partitions:
            tell(f"odradek: topic {topic!r} already exists with {there} partitions; --partitions is ignored")


class _Sending:
    """Sends batches, several at a time, and tracks what is stored."""

    def __init__(self, producer: odradek.ProducerHandle, topic: str) -> None:
        self.producer, self.topic = producer, topic
        self.stored = 0
        self.where: dict[int, Stored] = {}
        self.first_lost: int | None = None
        self._lines = 0
        self._answer_seconds = odradek.Settings().delivery_timeout + 10  # a little longer than the producer waits
        self._failure: Exception | None = None
        self._in_flight: deque[tuple[int, odradek.Promise[list[odradek.Receipt]]]] = deque()

    def send(self, entries: list[Entry]) -> None:
        """Send a batch, waiting for the oldest when enough are in flight."""
        if len(self._in_flight) >= _IN_FLIGHT:
            self._take(self._answer_seconds)
        self._in_flight.append((self._lines + 1, self.producer.send_batch(self.topic, entries)))
        self._lines += len(entries)

    def finish(self) -> None:
        """Wait for all batches, count what is stored, and raise the error of the first batch that failed."""
        deadline = time.monotonic() + self._answer_seconds
        while self._in_flight:
            with suppress(odradek.ActorError, odradek.DomainError, odradek.LogError):
                self._take(deadline - time.monotonic())
        if self._failure is not None:
            raise self._failure

    def _take(self, seconds: float) -> None:
        first_line, promise = self._in_flight.popleft()
        try:
            receipts = promise.result(max(0.0, seconds))
        except Exception as error:
            self._failure = self._failure or error
            self.first_lost = self.first_lost or first_line
            raise
        self.stored += len(receipts)
        for receipt in receipts:
            self._note(receipt)

    def _note(self, receipt: odradek.Receipt) -> None:
        part = self.where.get(receipt.partition)
        if part is None:
            offset, position = receipt.offset, receipt.position
            self.where[receipt.partition] = Stored(receipt.partition, 1, offset, offset, position, position)
            return
        part.messages += 1
        part.last_offset, part.last_position = receipt.offset, receipt.position


def send_lines(
    producer: odradek.ProducerHandle, topic: str, source: BinaryIO, *, separator: bytes | None = None, batch: int
) -> list[Stored]:
    """Send every line, and return what is stored in each partition; errors say how many lines are durable."""
    sending = _Sending(producer, topic)
    try:
        try:
            with bar("stored", None) as progress:
                for entries in _batches(source, separator, batch):
                    sending.send(entries)
                    progress(sending.stored)
        finally:
            sending.finish()
    except KeyboardInterrupt:
        raise CommandError(f"interrupted; {_durable(sending)}", ExitCode.INTERRUPTED) from None
    except CommandError as error:
        raise CommandError(f"{error}; {_durable(sending)}", error.code) from error
    except (odradek.ActorError, odradek.DomainError, odradek.LogError, OSError) as error:
        raise CommandError(f"{sentence_of(error)}; {_durable(sending)}", exit_code_of(error)) from error
    return sorted(sending.where.values(), key=lambda part: part.partition)


def _durable(sending: _Sending) -> str:
    lost = f", and line {sending.first_lost} is the first that may not be" if sending.first_lost is not None else ""
    return f"{sending.stored} lines are durable{lost}"


def _batches(source: BinaryIO, separator: bytes | None, batch: int) -> Iterator[list[Entry]]:
    """Yield lines as (key, value), up to `batch` at a time and a few MiB."""
    limit = odradek.Settings().max_message_bytes
    room = limit + 1 + len(separator or b"")  # the newline and the separator are not part of the message
    number, size = 0, 0
    entries: list[Entry] = []
    while text := source.readline(room + 1):
        number += 1
        if text.endswith(b"\n"):
            text = text[:-1]
        key, value = None, text
        if separator is not None:
            head, found, rest = text.partition(separator)
            if found:
                key, value = head, rest
        length = len(value) + len(key or b"")
        if length > limit:
            raise_after = CommandError(
                f"line {number} exceeds the limit of {limit} bytes per message; split it", ExitCode.USAGE
            )
            if entries:
                yield entries
            raise raise_after
        entries.append((key, value))
        size += length
        if len(entries) >= batch or size >= _BATCH_BYTES:
            yield entries
            entries, size = [], 0
    if entries:
        yield entries


def _print(summary: Summary) -> None:
    line(f"Stored {summary.stored:,} messages in {summary.topic} of {summary.log}.")
    for part in summary.partitions:
        line(
            f"  partition {part.partition}: {part.messages:,} messages, offsets {part.first_offset} to "
            f"{part.last_offset}, positions {part.first_position} to {part.last_position}"
        )
