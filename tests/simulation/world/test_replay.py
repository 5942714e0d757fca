"""Tokens: a run is repeated from one line, and a replay that takes another course is noticed."""

from __future__ import annotations

import pytest

from odradek import ActorSystem
from odradek.errors import InvalidToken, ReplayDiverged
from odradek.simulation import World
from odradek_simulation.choices.strategies import STRATEGIES, StrategyName
from odradek_simulation.choices.token import Token


def shop(system: ActorSystem, name: str, count: int) -> None:
    """Produce orders one after another."""
    with system.producer(name) as producer:
        for number in range(count):
            producer.send("orders", f"{name} {number}".encode()).result()


def start(system: ActorSystem, world: World) -> None:
    """Start two shops."""
    for name in ("east", "west"):
        world.spawn(shop, system, name, 5, name=name)


def start_more(system: ActorSystem, world: World) -> None:
    """Start two shops that sell more."""
    for name in ("east", "west"):
        world.spawn(shop, system, name, 6, name=name)


@pytest.mark.parametrize("faults", ["none", "all", "all,lost-tail", "kill,pause"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_token_repeats_its_run(strategy: StrategyName, faults: str) -> None:
    first = World(11, strategy=strategy, faults=faults).run(start)
    second = World.replay(first.token, trace=True).run(start)
    assert (second.digest, second.steps, second.faults) == (first.digest, first.steps, first.faults)
    assert second.token == first.token


def test_a_token_is_short_enough_to_paste() -> None:
    assert len(World(12345, faults="all").run(start).token) < 250


def test_a_replay_of_other_code_diverges_and_says_where() -> None:
    token = World(11).run(start).token
    with pytest.raises(ReplayDiverged, match=r"step \d+.*replay it leniently"):
        World.replay(token).run(start_more)


def test_a_lenient_replay_of_other_code_goes_on() -> None:
    token = World(11).run(start).token
    assert World.replay(token, lenient=True).run(start_more).holds


@pytest.mark.parametrize(
    "token",
    ["", "hello", "odradek1.", "odradek1.AAAA", "odradek2.abcd", "odradek1." + "A" * 2_000_000, "odradek1.ä€"],
)
def test_a_bad_token_is_refused_in_one_sentence(token: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        World.replay(token)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("position", range(9, 60, 7))
def test_a_token_with_a_changed_character_is_refused(position: int) -> None:
    token = World(11).run(start).token
    changed = token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
    with pytest.raises(InvalidToken):
        Token.parse(changed)


def test_a_token_broken_over_two_lines_is_accepted() -> None:
    token = World(11).run(start).token
    assert World.replay(f"  {token[:40]}\n  {token[40:]}\n").run(start).token == token
