"""`odradek state` and `odradek diff`: the state at any position of a log, and what changed between two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

import odradek
from odradek.cli.exit_codes import CommandError, ExitCode
from odradek.cli.opening import open_reader, replay, resolve_place
from odradek.cli.options import ExistingLog, JsonOption, parse_place
from odradek.cli.output import format_count, json_line, line, plain, table

if TYPE_CHECKING:
    from odradek_domain.replay.state_difference import Change

__all__ = ["diff", "state"]

_WIDTH = 200  # of the state of an aggregate in a table; --json prints it whole


def state(
    log: ExistingLog,
    at: Annotated[
        str,
        typer.Option(metavar="PLACE", help="A position, a time (UTC unless it has a zone), or head."),
    ] = "head",
    json: JsonOption = False,
) -> None:
    """Print the state of a log at a position or time.

    Aggregates of your own are shown if `odradek --module` imports them.

    \b
    Example:
      odradek state orders.db --at 2026-01-31T12:00:00Z
      odradek --module my_models state bank.db
    """
    place = parse_place("--at", at)
    with open_reader(log) as opened:
        replayed = replay(opened, resolve_place(opened, place))
    if json:
        _print_json(replayed)
    else:
        _print_tables(replayed)
    _report(replayed)


def diff(
    log: ExistingLog,
    before: Annotated[str, typer.Argument(metavar="A", help="A position, a time, or head; -1 is the empty log.")],
    after: Annotated[str, typer.Argument(metavar="B", help="A position, a time, or head.")],
    json: JsonOption = False,
) -> None:
    """Print what changed between two positions or times.

    Aggregates of your own are compared field by field if `odradek --module` imports them.

    \b
    Example:
      odradek diff orders.db 100 head
    """
    from odradek_domain.replay.state_difference import state_difference

    places = parse_place("A", before), parse_place("B", after)
    with open_reader(log) as opened:
        old, new = (replay(opened, resolve_place(opened, place)) for place in places)
    changes = state_difference(old, new)
    if json:
        json_line({"from": old.position, "to": new.position, "changes": changes})
    else:
        _print_changes(old, new, changes)
    _report(new if new.failures else old)


def _print_changes(old: odradek.SystemState, new: odradek.SystemState, changes: Sequence[Change]) -> None:
    line(f"From position {old.position} to {new.position}: {len(changes)} changes")
    stream = None
    for change in changes:
        if change.stream != stream:
            stream = change.stream
            line(plain(stream))
        line(f"  {plain(change.fact)}: {_shown(change.before)} -> {_shown(change.after)}")


def _report(state: odradek.SystemState) -> None:
    """End the command with an error if a state lacks aggregates that could not be folded; the rest was printed."""
    if state.failures:
        first = next(iter(state.failures.values()))
        count = len(state.failures)
        others = "" if count == 1 else f", and {format_count(count - 1, 'other stream')} cannot be folded either"
        raise CommandError(f"{first}{others}", ExitCode.UNREADABLE)


def _shown(value: object) -> str:
    return "-" if value is None else plain(str(value)) or "''"


def _print_json(state: odradek.SystemState) -> None:
    from odradek_domain.replay.lag import partition_lags
    from odradek_domain.replay.state_difference import own_facts, shown_facts

    own = {stream: shown_facts(own_facts(aggregate)) for stream, aggregate in state.own_aggregates.items()}
    json_line(
        {
            "position": state.position,
            "digest": state.digest(),
            "aggregates": {**state.snapshots(), **own},
            "failures": {stream: failure.problem for stream, failure in state.failures.items()},
            "versions": state.versions,
            "lags": partition_lags(state),
        }
    )


def _print_tables(state: odradek.SystemState) -> None:
    from odradek_domain.replay.lag import partition_lags

    line(f"Position {state.position}, digest {state.digest()}")
    line()
    table(
        "Topics",
        ["topic", "partition", "first offset", "next offset", "messages"],
        [
            [topic.name, int(part.id), part.log_start_offset, part.high_watermark, part.message_count]
            for topic in state.topics.values()
            for part in topic.partitions
        ],
    )
    table(
        "Producers",
        ["client id", "epoch", "messages recorded"],
        [[producer.client_id, producer.epoch, producer.message_count] for producer in state.producers.values()],
    )
    table(
        "Consumers",
        ["consumer", "group", "topics", "positions"],
        [
            [
                consumer.consumer_id,
                consumer.group_id,
                " ".join(consumer.subscriptions),
                " ".join(f"{item.topic}/{item.partition}:{item.offset}" for item in consumer.positions),
            ]
            for consumer in (found.snapshot() for found in state.consumers.values())
        ],
    )
    table(
        "Groups",
        ["group", "state", "generation", "members"],
        [[group.id, group.state.value, group.generation, len(group.members)] for group in state.groups.values()],
    )
    table(
        "Committed offsets",
        ["owner", "topic", "partition", "committed", "next offset", "lag"],
        [
            [lag.owner, lag.topic, lag.partition, lag.committed, lag.high_watermark, lag.lag]
            for lag in partition_lags(state)
        ],
    )
    table(
        "Policies",
        ["policy", "position", "stopped at", "reason"],
        [
            [policy.name, policy.position, _shown(policy.stopped_at), _shown(policy.reason or None)]
            for policy in state.policies.values()
        ],
    )
    _print_own(state)


def _print_own(state: odradek.SystemState) -> None:
    """Print streams of user-defined types: those that are folded, those that cannot be, and the others."""
    from odradek_domain.replay.state_difference import own_facts, shown_facts

    own = state.own_aggregates
    table(
        "Your own aggregates",
        ["stream", "version", "state"],
        [
            [stream, state.versions[stream], _facts_shown(shown_facts(own_facts(aggregate)))]
            for stream, aggregate in own.items()
        ],
    )
    table("Not folded", ["stream", "reason"], [[stream, failure.problem] for stream, failure in state.failures.items()])
    known = {*state.snapshots(), *own, *state.failures}
    others = {stream: version for stream, version in state.versions.items() if stream not in known}
    table("Other streams", ["stream", "version"], sorted(others.items()))


def _facts_shown(facts: Mapping[str, object]) -> str:
    return plain(" ".join(f"{name}={_shown(value)}" for name, value in facts.items()), _WIDTH)
