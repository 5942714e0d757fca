"""What a sweep keeps of each run, and what all of them come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from odradek_simulation.choices.strategies import StrategyName
from odradek_simulation.world.result import Result

__all__ = ["FoundFailure", "SeedOutcome", "SweepReport", "outcome_of"]


class SeedOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run: its seed and strategy, its size, what it reached, and how it failed, if it did."""

    seed: int
    strategy: StrategyName
    steps: int
    choices: int
    seconds: float  # of CPU time
    reached: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    failure: str = ""  # its signature
    message: str = ""
    token: str = ""


class FoundFailure(msgspec.Struct, frozen=True):
    """All runs that failed in the same way: how many, and the one with the fewest steps."""

    signature: str
    count: int
    seed: int
    strategy: str
    steps: int
    message: str
    token: str


class SweepReport(msgspec.Struct, frozen=True):
    """A sweep: its size, its failures by signature, and the goals and faults that no run reached.

    `seconds` is the CPU time of all runs together. Goals and faults are counted in runs.
    """

    target: str
    runs: int
    steps: int
    seconds: float
    failed: int
    failures: tuple[FoundFailure, ...]
    goals: dict[str, int]
    faults: dict[str, int]

    @property
    def holds(self) -> bool:
        """Whether no run failed."""
        return not self.failures

    @property
    def never_reached(self) -> tuple[str, ...]:
        """The goals that no run reached."""
        return tuple(goal for goal, count in self.goals.items() if not count)

    @classmethod
    def of(cls, target: str, outcomes: Iterable[SeedOutcome], faults: Iterable[str] = ()) -> SweepReport:
        """Put outcomes together, in whatever order; `faults` are the names of those that could strike."""
        found = sorted(outcomes, key=lambda outcome: (outcome.seed, outcome.strategy))
        smallest: dict[str, SeedOutcome] = {}
        counts = Counter(outcome.failure for outcome in found if outcome.failure)
        for outcome in found:
            if outcome.failure:
                before = smallest.setdefault(outcome.failure, outcome)
                if outcome.steps < before.steps:
                    smallest[outcome.failure] = outcome
        reached = Counter(goal for outcome in found for goal in outcome.reached)
        struck = Counter(kind for outcome in found for kind in outcome.faults)
        goals = {goal for outcome in found for goal in (*outcome.reached, *outcome.missed)}
        return cls(
            target=target,
            runs=len(found),
            steps=sum(outcome.steps for outcome in found),
            seconds=sum(outcome.seconds for outcome in found),
            failed=counts.total(),
            failures=tuple(
                FoundFailure(signature, count, run.seed, run.strategy, run.steps, run.message, run.token)
                for signature, count in counts.most_common()
                for run in (smallest[signature],)
            ),
            goals={goal: reached[goal] for goal in sorted(goals)},
            faults={name: struck[name] for name in sorted({*faults, *struck})},
        )


def outcome_of(result: Result, seed: int, strategy: StrategyName, seconds: float) -> SeedOutcome:
    """Return what a sweep keeps of a run."""
    failure = result.failure
    return SeedOutcome(
        seed=seed,
        strategy=strategy,
        steps=result.steps,
        choices=result.choices,
        seconds=seconds,
        reached=result.reached,
        missed=result.missed,
        faults=tuple(sorted({fault.kind for fault in result.faults})),
        failure="" if failure is None else failure.signature,
        message="" if failure is None else str(failure),
        token="" if failure is None else result.token,
    )
