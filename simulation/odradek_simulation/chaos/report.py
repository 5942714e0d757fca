"""What a run of chaos gave: its faults, its messages, its goals, and the verdict."""

from __future__ import annotations

from collections import Counter

import msgspec

from odradek_simulation.chaos.target import chaos, chaos_of
from odradek_simulation.checkers.history import Commit, History, Outcome, Poll, Send
from odradek_simulation.faults.site import Fault
from odradek_simulation.workload.mix import Workload
from odradek_simulation.world.world import World

__all__ = ["ChaosReport", "OperationCounts", "run_chaos"]


class OperationCounts(msgspec.Struct, frozen=True):
    """What clients did: messages sent, by what is known of them, messages polled by all readers, and commits.

    `unknown` messages may be stored; those of clients whose process crashed are among them.
    """

    acknowledged: int
    refused: int
    unknown: int
    polled: int
    commits: int
    refused_commits: int

    @classmethod
    def of(cls, history: History) -> OperationCounts:
        """Count the operations of a history."""
        sent = Counter[Outcome]()
        for send in history.of(Send):
            sent[send.outcome] += len(send.values)
        commits = [commit.outcome for commit in history.of(Commit)]
        return cls(
            acknowledged=sent[Outcome.OK],
            refused=sent[Outcome.FAIL],
            unknown=sent[Outcome.INFO],
            polled=sum(len(stretch.values) for poll in history.of(Poll) for stretch in poll.messages),
            commits=commits.count(Outcome.OK),
            refused_commits=commits.count(Outcome.FAIL),
        )


class ChaosReport(msgspec.Struct, frozen=True):
    """A run of chaos.

    `failure` is empty if all went well. `steps` were taken in `seconds` of virtual time, with `crashes` of the process
    among the `faults`. `log` and `position` (of the last event) describe the log. `token` repeats the run.
    """

    workload: Workload
    seed: int
    strategy: str
    log: str
    position: int
    steps: int
    seconds: float
    crashes: int
    faults: tuple[Fault, ...]
    operations: OperationCounts
    reached: tuple[str, ...]
    missed: tuple[str, ...]
    failure: str
    token: str

    @property
    def holds(self) -> bool:
        """Whether nothing failed."""
        return not self.failure

    def to_json(self) -> str:
        """Return everything as one line of JSON."""
        faults = [msgspec.structs.asdict(fault) for fault in self.faults]  # by name: tokens keep them as arrays
        return msgspec.json.encode({**msgspec.structs.asdict(self), "faults": faults}).decode()


def run_chaos(world: World) -> ChaosReport:
    """Run `chaos` in a world and return the report; raises what `World.run` and `chaos_of` raise."""
    clients = chaos_of(world)
    result = world.run(chaos)
    return ChaosReport(
        workload=clients.workload,
        seed=world.seed,
        strategy=world.strategy,
        log=result.log.name,
        position=result.log.head().position,
        steps=result.steps,
        seconds=result.seconds,
        crashes=result.crashes,
        faults=result.faults,
        operations=OperationCounts.of(clients.history),
        reached=result.reached,
        missed=result.missed,
        failure="" if result.failure is None else str(result.failure),
        token=result.token,
    )
