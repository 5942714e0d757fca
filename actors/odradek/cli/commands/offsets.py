"""`odradek offsets`: reset and delete the committed offsets of consumer groups."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

import odradek
from odradek.cli.formats.quantities import parse_duration_ms
from odradek.cli.opening import open_reader, open_system, replay
from odradek.cli.options import ExistingLog, GroupArgument, JsonOption, bad_value, group_id, topic_name
from odradek.cli.output import format_count, json_line, line, plain, table, tell

if TYPE_CHECKING:
    from odradek_domain.group.offset_reset import ResetTarget

__all__ = ["offsets"]

offsets = typer.Typer(rich_markup_mode=None)

_READ_SECONDS = 86_400.0  # Ctrl-C ends it earlier
_LARGEST = (1 << 63) - 1  # of offsets, as in Kafka
_TARGETS = "--to-earliest, --to-latest, --to-offset, --to-datetime, --by-duration, --shift-by"

TopicOption = Annotated[list[str], typer.Option("--topic", metavar="TOPIC", help="A topic; may be repeated.")]
PartitionOption = Annotated[
    list[int] | None,
    typer.Option("--partition", min=0, metavar="N", help="Only this partition of the topic; may be repeated."),
]


@offsets.callback(invoke_without_command=True)
def help_(context: typer.Context) -> None:
    """Reset and delete committed offsets of consumer groups.

    The groups must have no members.

    \b
    Example:
      odradek offsets reset orders.db billing --topic orders --to-earliest --dry-run
      odradek offsets delete orders.db billing --topic orders
    """
    if context.invoked_subcommand is None:
        line(context.get_help())


@offsets.command()
def reset(
    log: ExistingLog,
    group: GroupArgument,
    topic: TopicOption,
    partition: PartitionOption = None,
    to_earliest: Annotated[bool, typer.Option("--to-earliest", help="To the first message that can be read.")] = False,
    to_latest: Annotated[bool, typer.Option("--to-latest", help="To the end: read only new messages.")] = False,
    to_offset: Annotated[int | None, typer.Option(min=0, max=_LARGEST, metavar="N", help="To this offset.")] = None,
    to_datetime: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="To the first message at or after this time, such as 2026-01-31T12:00 (UTC)."
        ),
    ] = None,
    by_duration: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="To the first message of this last stretch of time, such as 90m or 7d."),
    ] = None,
    shift_by: Annotated[
        int | None,
        typer.Option(
            min=-_LARGEST,
            max=_LARGEST,
            metavar="N",
            help="Forward by this many messages, or back with a negative number.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would change; works while another process writes.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Reset a group's committed offsets, all or none of them.

    The group must have no members. An offset out of range becomes the nearest end of the partition. Only --shift-by
    requires that the group has committed offsets already.

    \b
    Example:
      odradek offsets reset orders.db billing --topic orders --to-datetime 2026-01-31T12:00:00Z
      odradek offsets reset orders.db billing --topic orders --partition 0 --shift-by -10 --dry-run
    """
    from msgspec.structs import asdict

    name, places = group_id("GROUP", group), _places(topic, partition)
    to = _target(to_earliest, to_latest, to_offset, to_datetime, by_duration, shift_by)
    if dry_run:
        plan = _planned(log, name, places, to)
    else:
        with open_system(log, must_exist=True) as system:
            plan = system.reset_offsets(name, places, to, timeout=_READ_SECONDS)
    if json:
        json_line([{**asdict(item), "is_clamped": item.is_clamped} for item in plan])
        return
    changed = format_count(sum(item.after != item.before for item in plan), "committed offset")
    line(f"{'Would change' if dry_run else 'Changed'} {changed} of group {plain(name)}.")
    line()
    table(
        "Committed offsets",
        ["topic", "partition", "before", "after", "note"],
        [[item.topic, item.partition, item.before, item.after, _note(item)] for item in plan],
    )


@offsets.command()
def delete(
    log: ExistingLog,
    group: GroupArgument,
    topic: TopicOption,
    partition: PartitionOption = None,
    json: JsonOption = False,
) -> None:
    """Delete a group's committed offsets in topics.

    The group, which must have no members, then starts as if it had never read the topics.

    \b
    Example:
      odradek offsets delete orders.db billing --topic orders --partition 0
    """
    name, places = group_id("GROUP", group), _places(topic, partition)
    with open_system(log, must_exist=True) as system:
        before = system.committed_offsets(name)
        system.delete_offsets(name, places)
        left = set(system.committed_offsets(name))
    gone = [item for item in before if item not in left]
    if json:
        json_line([{"topic": item.topic, "partition": item.partition, "offset": item.offset} for item in gone])
    else:
        line(f"Deleted {format_count(len(gone), 'committed offset')} of group {plain(name)}.")


def _places(topics: Sequence[str], partitions: Sequence[int] | None) -> list[str | tuple[str, int]]:
    names = [str(topic_name("--topic", topic)) for topic in topics]
    if not partitions:
        return [*names]
    if len(names) > 1:
        raise bad_value("--partition", "it names a partition of one topic; give a single --topic with it")
    return [(names[0], number) for number in partitions]


def _target(
    to_earliest: bool,
    to_latest: bool,
    to_offset: int | None,
    to_datetime: str | None,
    by_duration: str | None,
    shift_by: int | None,
) -> ResetTarget | timedelta:
    wanted: list[Any] = []
    if to_earliest:
        wanted.append("earliest")
    if to_latest:
        wanted.append("latest")
    if to_offset is not None:
        wanted.append(to_offset)
    if to_datetime is not None:
        wanted.append(_moment("--to-datetime", to_datetime))
    if by_duration is not None:
        wanted.append(_duration("--by-duration", by_duration))
    if shift_by is not None:
        wanted.append(odradek.ShiftBy(shift_by))
    if len(wanted) != 1:
        raise bad_value(_TARGETS, "give one of them" if not wanted else "give only one of them")
    target: ResetTarget | timedelta = wanted[0]
    return target


def _moment(name: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_value(name, f"{text[:80]!r} is not a time; use one like 2026-01-31T12:00:00Z") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _duration(name: str, text: str) -> timedelta:
    try:
        return timedelta(milliseconds=parse_duration_ms(name, text))
    except OverflowError:
        return timedelta.max


def _planned(
    log: str, group: str, places: Sequence[str | tuple[str, int]], to: ResetTarget | timedelta
) -> tuple[odradek.PlannedReset, ...]:
    """Plan a reset from the log, which is only read."""
    from odradek_domain.group.offset_reset import checked_target, plan_reset, wanted_partitions
    from odradek_domain.replay.log_scans import finished, offsets_at_time

    target, wanted = checked_target(to, datetime.now(UTC)), wanted_partitions(places)
    at_time: dict[odradek.TopicPartition, int | None] = {}
    with open_reader(log) as opened:
        state = replay(opened)
        if isinstance(target, datetime):
            for name in wanted:
                found = finished(offsets_at_time(opened, name, target))
                at_time |= {odradek.TopicPartition(name, number): offset for number, offset in enumerate(found.offsets)}
    known = state.groups.get(group)
    if known is not None and known.members:
        members = format_count(len(known.members), "member")
        tell(f"The group has {members} in the log; its offsets can be reset only while it has none.")
    return plan_reset(group, () if known is None else known.committed.all(), state.topics, wanted, target, at_time)


def _note(item: odradek.PlannedReset) -> str:
    if item.wanted is None:
        return "no message at or after that time"
    if not item.is_clamped:
        return ""
    return (
        f"{item.wanted} is before the first message" if item.wanted < item.after else f"{item.wanted} is beyond the end"
    )
