"""The command: its options, and what they cannot be combined with."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Annotated, Any, Literal

import msgspec
import typer

from odradek.cli.commands.simulate.opened_log import open_new_log
from odradek.cli.options import DurabilityOption, JsonOption, bad_value
from odradek_simulation.choices.strategies import StrategyName
from odradek_simulation.workload.mix import LIMITS, MAX_KEY_SKEW, SMALL, Workload

__all__ = ["simulate"]

_DEFAULT = Workload()


def _shown(name: str) -> str:
    """Return the default of a number of a Workload, and the one of seeded runs if it differs."""
    usual, small = getattr(_DEFAULT, name), getattr(SMALL, name)
    return str(usual) if usual == small else f"{usual}, seeded: {small}"


def _number(name: str, help: str) -> Any:
    """Return the option for a whole number of a Workload."""
    least, most = LIMITS[name]
    return typer.Option(min=least, max=most, help=help, show_default=_shown(name))


def _check_number(value: float | None) -> float | None:
    """Refuse what Typer takes for a number in any range."""
    if value is not None and isnan(value):
        raise typer.BadParameter(f"nan is not in the range 0<=x<={MAX_KEY_SKEW}")
    return value


def simulate(
    runtime: Annotated[
        Literal["threads", "seeded"] | None,
        typer.Option(
            help="threads: a thread for each client, in real time. seeded: one thread in virtual time, where a run can "
            "be repeated step by step, and faults can strike; the workload is smaller unless you say otherwise.",
            show_default="threads",
        ),
    ] = None,
    topics: Annotated[int | None, _number("topics", "Topics.")] = None,
    partitions: Annotated[int | None, _number("partitions", "Partitions of each topic.")] = None,
    producers: Annotated[int | None, _number("producers", "Producers.")] = None,
    consumers: Annotated[
        int | None, _number("consumers", "Readers of all topics: the first are groups, the others consumers.")
    ] = None,
    groups: Annotated[
        int | None,
        _number("groups", "How many of the readers are consumer groups; at most all."),
    ] = None,
    members: Annotated[int | None, _number("members", "Members of each group, which share partitions.")] = None,
    churn: Annotated[
        int | None,
        _number("churn", "Members of each group that leave, stall and die in turn while it reads; others take over."),
    ] = None,
    messages: Annotated[int | None, _number("messages", "Messages, all producers together.")] = None,
    message_size: Annotated[int | None, _number("message_size", "Bytes of each value.")] = None,
    batch: Annotated[int | None, _number("batch", "Messages of one send.")] = None,
    keys: Annotated[int | None, _number("keys", "Different keys.")] = None,
    key_skew: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=MAX_KEY_SKEW,
            callback=_check_number,
            help="Exponent of the keys' Zipf distribution; 0 is uniform.",
            show_default=_shown("key_skew"),
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="The same seed gives each producer the same messages; seeded, it determines everything.",
            show_default=str(_DEFAULT.seed),
        ),
    ] = None,
    faults: Annotated[
        str | None,
        typer.Option(
            metavar="all|none|NAME,...",
            help="Seeded: what goes wrong, such as crash, kill, pause, unknown-outcome. lost-tail, which loses "
            "acknowledged messages, is not in all. docs/SIMULATION.md lists them.",
            show_default="none",
        ),
    ] = None,
    strategy: Annotated[
        StrategyName | None,
        typer.Option(help="Seeded: how to pick who takes the next step.", show_default="random"),
    ] = None,
    replay: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="Repeat the seeded run that printed this token.")
    ] = None,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="With --replay: go on where other code takes another course.")
    ] = False,
    log: Annotated[str, typer.Option(metavar="PATH|memory", help="Where the log is kept.")] = "memory",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the log if it is there.")] = False,
    durability: DurabilityOption = "full",
    json: JsonOption = False,
) -> None:
    """Run producers and consumers, then check what must hold.

    At the end the log is replayed and compared with the live state, and every message is accounted for; if something
    does not hold, the exit code is 1.

    \b
    Examples:
      odradek simulate --log run.db --overwrite --members 3 --churn 6
      odradek simulate --runtime seeded --seed 7 --faults all --log run.db
    """
    numbers = {
        "topics": topics,
        "partitions": partitions,
        "producers": producers,
        "consumers": consumers,
        "groups": groups,
        "members": members,
        "churn": churn,
        "messages": messages,
        "message_size": message_size,
        "batch": batch,
        "keys": keys,
        "key_skew": key_skew,
    }
    chosen = {name: value for name, value in numbers.items() if value is not None}
    number = _DEFAULT.seed if seed is None else seed
    if lenient and replay is None:
        raise bad_value("--lenient", "it belongs to --replay; add --replay TOKEN")
    if replay is None and runtime != "seeded":
        from odradek.cli.commands.simulate.threads import run_on_threads

        _refuse("only seeded runs have it; add --runtime seeded", {"faults": faults, "strategy": strategy})
        workload = msgspec.structs.replace(_workload(_DEFAULT, chosen), seed=number)
        with open_new_log(log, overwrite, durability) as opened:
            run_on_threads(workload, opened, json=json)
        return
    from odradek.cli.commands.simulate.world import repeated, run_in_world, seeded

    if replay is None:
        world = seeded(number, faults or "none", strategy or "random", _workload(SMALL, chosen), log)
    else:
        said = {**numbers, "seed": seed, "faults": faults, "strategy": strategy}
        _refuse("the token of --replay contains it; leave it out", said)
        if runtime == "threads":
            raise bad_value("--runtime", "--replay repeats a seeded run; leave out --runtime threads")
        world = repeated(replay, log, is_lenient=lenient)
    with open_new_log(log, overwrite, durability) as opened:
        run_in_world(world, opened, json=json)


def _refuse(why: str, options: Mapping[str, object]) -> None:
    """Refuse the options that were given."""
    for name, value in options.items():
        if value is not None:
            raise bad_value(f"--{name.replace('_', '-')}", why)


def _workload(usual: Workload, chosen: dict[str, Any]) -> Workload:
    """Return a workload with the numbers that were chosen, and otherwise the usual ones."""
    consumers, groups = chosen.get("consumers", usual.consumers), chosen.get("groups")
    if groups is not None and groups > consumers:
        raise bad_value("--groups", f"{groups} groups are more than the {consumers} readers; raise --consumers")
    return msgspec.structs.replace(usual, **{"groups": min(usual.groups, consumers), **chosen})
