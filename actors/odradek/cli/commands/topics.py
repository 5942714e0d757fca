"""`odradek topics`: list, describe, create, change and delete topics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

import odradek
from odradek.cli.default_command import ListingGroup
from odradek.cli.formats.quantities import format_duration, format_size, parse_duration_ms, parse_size
from odradek.cli.opening import open_reader, open_system, replay
from odradek.cli.options import MAX_PARTITIONS, ExistingLog, JsonOption, bad_value, topic_name
from odradek.cli.output import format_count, json_line, line, table

if TYPE_CHECKING:
    from odradek_domain.topic.topic import Topic

__all__ = ["topics"]

topics = typer.Typer(cls=ListingGroup, rich_markup_mode=None)

_APPLY_SECONDS = 86_400.0  # Ctrl-C ends it earlier; the topic deletes the rest when it is next used
T = TypeVar("T")
TopicArgument = Annotated[str, typer.Argument(metavar="TOPIC", help="The topic.")]
RetentionTime = Annotated[
    str | None,
    typer.Option(metavar="DURATION", help="Delete messages older than this, such as 7d, 12h or 90s; or none."),
]
RetentionSize = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Keep this many bytes of each partition, such as 64MiB or 5000; or none."),
]


@topics.callback(invoke_without_command=True)
def help_(context: typer.Context) -> None:
    """List, describe, create, change and delete topics.

    `odradek topics LOG` is short for `odradek topics list LOG`. `list` and `describe` only read, also while another
    process writes the log. The other commands write it, so no other process may.

    \b
    Example:
      odradek topics create orders.db orders --partitions 3 --retention-time 7d
      odradek topics list orders.db
    """
    if context.invoked_subcommand is None:
        line(context.get_help())


@topics.command("list")
def list_(log: ExistingLog, json: JsonOption = False) -> None:
    """List the topics of a log.

    \b
    Example:
      odradek topics list orders.db
    """
    with open_reader(log) as opened:
        found = [_description(topic) for topic in replay(opened).topics.values()]
    if json:
        json_line(found)
        return
    if not found:
        line("There are no topics.")
    table(
        "Topics",
        ["topic", "partitions", "messages", "retention time", "retention size"],
        [[topic.name, len(topic.partitions), topic.message_count, *_limits(topic)] for topic in found],
    )


@topics.command()
def describe(log: ExistingLog, topic: TopicArgument, json: JsonOption = False) -> None:
    """Describe a topic: its retention and its partitions.

    \b
    Example:
      odradek topics describe orders.db orders --json
    """
    name = topic_name("TOPIC", topic)
    with open_reader(log) as opened:
        found = replay(opened).topics.get(name)
    if found is None:
        raise odradek.errors.TopicNotFound(name)
    _print(_description(found), "", json)


@topics.command()
def create(
    log: ExistingLog,
    topic: TopicArgument,
    partitions: Annotated[int, typer.Option(min=1, max=MAX_PARTITIONS, help="How many partitions.")] = 1,
    retention_time: RetentionTime = None,
    retention_size: RetentionSize = None,
    json: JsonOption = False,
) -> None:
    """Create a topic, and the log if it does not exist.

    \b
    Example:
      odradek topics create orders.db orders --partitions 3 --retention-time 7d
    """
    name = topic_name("TOPIC", topic)
    time, size = _parsed(retention_time, retention_size, None)
    with open_system(log) as system:
        created = system.create_topic(name, partitions, retention_ms=time, retention_bytes=size)
    _print(created, f"Created {name}.", json)


@topics.command()
def delete(log: ExistingLog, topic: TopicArgument, json: JsonOption = False) -> None:
    """Delete a topic. Its history stays in the log.

    \b
    Example:
      odradek topics delete orders.db orders
    """
    name = topic_name("TOPIC", topic)
    with open_system(log, must_exist=True) as system:
        system.delete_topic(name)
    if json:
        json_line({"deleted": str(name)})
    else:
        line(f"Deleted {name}.")


@topics.command()
def add_partitions(
    log: ExistingLog,
    topic: TopicArgument,
    total: Annotated[int, typer.Argument(min=1, max=MAX_PARTITIONS, help="How many partitions the topic then has.")],
    json: JsonOption = False,
) -> None:
    """Add partitions to a topic.

    From then on keys may map to other partitions.

    \b
    Example:
      odradek topics add-partitions orders.db orders 6
    """
    name = topic_name("TOPIC", topic)
    with open_system(log, must_exist=True) as system:
        grown = system.add_partitions(name, total)
    _print(grown, f"{name} now has {format_count(total, 'partition')}.", json)


@topics.command()
def set_retention(
    log: ExistingLog,
    topic: TopicArgument,
    retention_time: RetentionTime = None,
    retention_size: RetentionSize = None,
    json: JsonOption = False,
) -> None:
    """Limit the age of messages and the size of partitions.

    Messages that exceed the limits are deleted at once. A limit that is not given stays as it is; none removes it.
    Deleted messages can no longer be consumed; their events stay in the log.

    \b
    Example:
      odradek topics set-retention orders.db orders --retention-time 7d --retention-size 64MiB
    """
    from msgspec import UNSET

    name = topic_name("TOPIC", topic)
    if retention_time is None and retention_size is None:
        raise bad_value("--retention-time / --retention-size", "give one of them, or both; none removes a limit")
    time, size = _parsed(retention_time, retention_size, UNSET)
    with open_system(log, must_exist=True) as system:
        system.set_retention(name, retention_ms=time, retention_bytes=size)
        left = system.apply_retention(name, _APPLY_SECONDS)
    _print(left, f"Set the retention of {name}.", json)


@topics.command(context_settings={"ignore_unknown_options": True})  # so that -1 is an offset and not an option
def delete_records(
    log: ExistingLog,
    topic: TopicArgument,
    partition: Annotated[int, typer.Argument(min=0, metavar="PARTITION", help="The partition, counted from 0.")],
    before: Annotated[
        str, typer.Argument(metavar="OFFSET", help="The first offset to keep; end or -1 deletes all messages.")
    ],
    json: JsonOption = False,
) -> None:
    """Delete the messages of a partition below an offset.

    Their events stay in the log, and offsets are not reused.

    \b
    Example:
      odradek topics delete-records orders.db orders 0 1500
    """
    name = topic_name("TOPIC", topic)
    offset = _parse_offset(before)
    with open_system(log, must_exist=True) as system:
        left = system.delete_records(name, partition, offset)
    _print(left, f"{name}/{partition} now starts at offset {left.partitions[partition].log_start_offset}.", json)


def _description(topic: Topic) -> odradek.TopicDescription:
    assert topic.topic_id is not None, "a state has existing topics only"
    assert topic.created_at is not None, "as above"
    return odradek.TopicDescription(
        str(topic.name),
        topic.topic_id,
        topic.created_at,
        tuple(partition.bounds for partition in topic.partitions),
        topic.retention.retention_ms,
        topic.retention.retention_bytes,
    )


def _parsed(time: str | None, size: str | None, absent: T) -> tuple[int | T | None, int | T | None]:
    return (
        _limit("--retention-time", time, parse_duration_ms, absent),
        _limit("--retention-size", size, parse_size, absent),
    )


def _limit(name: str, text: str | None, parse: Callable[[str, str], int], absent: T) -> int | T | None:
    if text is None:
        return absent
    return None if text == "none" else parse(name, text)


def _parse_offset(text: str) -> int:
    if text in ("end", "-1"):
        return -1
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    raise bad_value("OFFSET", f"{text[:80]!r} is not an offset; use a number like 1500, or end")


def _limits(topic: odradek.TopicDescription) -> tuple[str | None, str | None]:
    time, size = topic.retention_ms, topic.retention_bytes
    return None if time is None else format_duration(time), None if size is None else format_size(size)


def _print(topic: odradek.TopicDescription, done: str, json: bool) -> None:
    """Print what was done to a topic, and the topic."""
    if json:
        json_line(topic)
        return
    if done:
        line(done)
        line()
    time, size = _limits(topic)
    line(f"Topic {topic.name}, id {topic.topic_id}, created {topic.created_at.isoformat(timespec='seconds')}")
    line(f"Retention: time {time or 'unlimited'}, size of each partition {size or 'unlimited'}")
    line()
    table(
        "Partitions",
        ["partition", "first offset", "next offset", "messages"],
        [
            [part.id, part.log_start_offset, part.high_watermark, part.high_watermark - part.log_start_offset]
            for part in topic.partitions
        ],
    )
