"""`odradek groups`: list, describe and delete consumer groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import typer

import odradek
from odradek.cli.default_command import ListingGroup
from odradek.cli.opening import open_reader, open_system, replay
from odradek.cli.options import ExistingLog, GroupArgument, JsonOption, group_id
from odradek.cli.output import format_count, json_line, line, plain, table

__all__ = ["groups"]

groups = typer.Typer(cls=ListingGroup, rich_markup_mode=None)


@groups.callback(invoke_without_command=True)
def help_(context: typer.Context) -> None:
    """List, describe and delete consumer groups.

    `odradek groups LOG` is short for `odradek groups list LOG`. `list` and `describe` only read, also while another
    process writes the log. They show the members that the log has: members of a process that was killed remain until
    the group is used again.

    \b
    Example:
      odradek groups list orders.db
      odradek groups describe orders.db billing
    """
    if context.invoked_subcommand is None:
        line(context.get_help())


@groups.command("list")
def list_(log: ExistingLog, json: JsonOption = False) -> None:
    """List the groups of a log, with their members, topics and lag.

    \b
    Example:
      odradek groups list orders.db
    """
    with open_reader(log) as opened:
        state = replay(opened)
    found = [_summary(group.snapshot(), state) for group in state.groups.values() if group.exists]
    if json:
        json_line(found)
        return
    if not found:
        line("There are no groups.")
    table(
        "Groups",
        ["group", "state", "generation", "members", "topics", "lag"],
        [
            [item["group"], item["state"], item["generation"], item["members"], " ".join(item["topics"]), item["lag"]]
            for item in found
        ],
    )


@groups.command()
def describe(log: ExistingLog, group: GroupArgument, json: JsonOption = False) -> None:
    """Describe a group: its members, and its lag in each partition.

    \b
    Example:
      odradek groups describe orders.db billing --json
    """
    from odradek_domain.replay.lag import group_lags

    name = group_id("GROUP", group)
    with open_reader(log) as opened:
        state = replay(opened)
    found = state.groups.get(name)
    if found is None or not found.exists:
        raise odradek.errors.GroupNotFound(name)
    snapshot = found.snapshot()
    lags = group_lags(snapshot, state.topics)
    if json:
        members = [_member(member) for member in snapshot.members]
        json_line({**_summary(snapshot, state), **_generation(snapshot), "members": members, "partitions": lags})
        return
    _print(snapshot, lags)


@groups.command()
def delete(log: ExistingLog, group: GroupArgument, json: JsonOption = False) -> None:
    """Delete a group that has no members, and its committed offsets. Its history stays in the log.

    \b
    Example:
      odradek groups delete orders.db billing
    """
    name = group_id("GROUP", group)
    with open_system(log, must_exist=True) as system:
        system.delete_group(name)
    if json:
        json_line({"deleted": str(name)})
    else:
        line(f"Deleted group {plain(name)}.")


def _summary(group: odradek.GroupSnapshot, state: odradek.SystemState) -> dict[str, Any]:
    from odradek_domain.replay.lag import group_lags

    lags = group_lags(group, state.topics)
    topics = {lag.topic for lag in lags}.union(*(member.topics for member in group.members))
    return {
        "group": group.group_id,
        "state": group.state.value,
        "generation": group.generation,
        "members": len(group.members),
        "topics": sorted(topics),
        "lag": _total(lags),
    }


def _total(lags: Iterable[odradek.MemberLag]) -> int | None:
    known = [lag.lag for lag in lags if lag.lag is not None]
    return sum(known) if known else None


def _generation(group: odradek.GroupSnapshot) -> dict[str, Any]:
    return {"assignor": group.assignor, "leader": group.leader, "idle_since": group.idle_since}


def _member(member: odradek.GroupMember) -> dict[str, Any]:
    return {
        "member_id": member.member_id,
        "consumer_id": member.consumer_id,
        "instance_id": member.instance_id,
        "topics": member.topics,
        "pattern": member.pattern,
        "partitions": member.partitions,
    }


def _print(group: odradek.GroupSnapshot, lags: Sequence[odradek.MemberLag]) -> None:
    shared = f", {group.assignor} by {group.leader}" if group.assignor else ""
    idle = f", idle since {group.idle_since.isoformat(timespec='seconds')}" if group.idle_since else ""
    line(plain(f"Group {group.group_id}: {group.state.value}, generation {group.generation}{shared}{idle}"))
    line(f"{format_count(_total(lags) or 0, 'message')} behind")
    line()
    table(
        "Members",
        ["member", "consumer", "instance id", "reads", "partitions"],
        [
            [
                member.member_id,
                member.consumer_id,
                member.instance_id,
                " ".join(member.topics) if member.pattern is None else f"/{member.pattern}/",
                " ".join(str(odradek.TopicPartition(*place)) for place in member.partitions),
            ]
            for member in group.members
        ],
    )
    table(
        "Partitions",
        ["topic", "partition", "committed", "next offset", "lag", "consumer"],
        [[lag.topic, lag.partition, lag.committed, lag.high_watermark, lag.lag, lag.consumer_id] for lag in lags],
    )
