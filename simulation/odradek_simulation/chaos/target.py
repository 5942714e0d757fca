"""Chaos: our own system under faults, with everything checked that checkers know."""

from __future__ import annotations

from typing import Any

import msgspec

from odradek_actors.client.system import ActorSystem
from odradek_domain.replay.lag import partition_lags
from odradek_domain.replay.system_state import SystemState
from odradek_events.types import MemberLeft, PartitionsRevoked, ProducerEpochBumped, RebalanceStarted
from odradek_simulation.chaos.clients import REBALANCED, Producer, Reader, create_topics
from odradek_simulation.checkers.finding import Finding
from odradek_simulation.checkers.invariants import check_log
from odradek_simulation.faults.injector import SMALL_CONSTANTS
from odradek_simulation.faults.process import LOST_TAIL
from odradek_simulation.workload.mix import SMALL
from odradek_simulation.world.world import World

__all__ = ["Chaos", "chaos", "chaos_of"]

_KEY = "odradek chaos"
_EVENT_GOALS: dict[type[Any], str] = {
    MemberLeft: "a member left its group",
    PartitionsRevoked: "a consumer gave up partitions",
    ProducerEpochBumped: "a producer began a new epoch",
    RebalanceStarted: "a group rebalanced although its members stayed the same",
}


def chaos(system: ActorSystem, world: World) -> None:
    """Start the producers, consumers and groups of a workload in a world, and declare its checks and goals.

        World(seed=7, faults="all").run(chaos).check()

    The workload is `SMALL` with the seed and the parameters of the world, such as `parameters={"messages": 100}`. What
    clients are told is judged as a history, and the log as a whole. When the faults are over, each producer sends a
    probe, and each reader must come to the end of every partition.
    """
    chaos_of(world).start(system)


def chaos_of(world: World) -> Chaos:
    """Return the chaos of a world. TypeError or ValueError for parameters that are not those of a Workload."""
    found = world.remembered.get(_KEY)
    if found is None:
        found = world.remembered[_KEY] = Chaos(world)
    assert isinstance(found, Chaos), "nothing else has this key"
    return found


class Chaos:
    """The clients of one world, what they remember across crashes, and the history that they write."""

    def __init__(self, world: World) -> None:
        chosen: dict[str, Any] = {"seed": world.seed, **world.parameters}
        self.workload = workload = msgspec.structs.replace(SMALL, **chosen)
        self.history = world.history()
        self._world = world
        self._producers = [Producer(world, workload, self.history, n + 1) for n in range(workload.producers)]
        self._readers = [
            Reader(world, workload, self.history, n + 1, self._producers) for n in range(workload.consumers)
        ]
        world.history(read_to_end=[reader.name for reader in self._readers])
        world.at_end(self._check_end, "log")
        self._declare_goals(world)

    def start(self, system: ActorSystem) -> None:
        """Start the clients: at the beginning, and again after each crash."""
        world = self._world
        create_topics(system, world, self.workload)
        for producer in self._producers:
            world.spawn(producer.run, system, name=producer.name).add_done_callback(producer.end)
            world.when_quiet(producer.probe, system, name=f"{producer.name}-probe")
        for reader in self._readers:
            for number in range(1, reader.members + 1):
                name = f"{reader.name}-member-{number}" if reader.members > 1 else reader.name
                world.spawn(reader.run, system, number, name=name, may_hang=number > 1)
            world.when_quiet(reader.probe, system, name=f"{reader.name}-probe")

    def _declare_goals(self, world: World) -> None:
        faults = set(world.faults) - {SMALL_CONSTANTS}
        for fault in sorted(faults):
            world.sometimes(f"fault {fault}")
        if "duplicate" in faults:
            world.sometimes("duplicate refused")
        if faults & {"crash", "kill", "recover"}:
            world.sometimes("snapshot restored")
        if self.workload.groups:
            world.sometimes(REBALANCED)
            for goal in _EVENT_GOALS.values():
                world.sometimes(goal)
        if self.workload.consumers:
            world.sometimes("lag", lambda state: any(each.lag for each in partition_lags(state)))

    def _check_end(self, state: SystemState) -> list[Finding]:
        """Note the goals that events reach, and judge the log as a whole."""
        system = self._world.system
        for commit in system.log.commits(until=state.position, opaque=True):
            for event in commit.events:
                if type(event) in _EVENT_GOALS:
                    self._world.reach(_EVENT_GOALS[type(event)])
        return check_log(system.log, None if LOST_TAIL in self._world.faults else system.snapshots)
