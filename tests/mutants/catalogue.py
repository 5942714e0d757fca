"""Each mutant with the world that must find it, and how soon."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from mutants import consumers, groups, producers, topics
from mutants.worlds import seek_back, share_partitions, wait_for_messages
from odradek.simulation import Result, World, chaos
from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_simulation.world import Start

__all__ = ["BUDGET", "MUTANTS", "Mutant", "is_found"]

BUDGET = 120
"""How many schedules the median of a mutant may take: three times the 40 in which a prototype found most such bugs."""


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """A planted bug. `like` names a bug of another system that it imitates, `seed` is one that finds it."""

    actor: type[EventSourcedActor[Any]]
    start: Start
    faults: str
    seed: int
    like: str = ""
    options: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The name of its class."""
        return self.actor.__name__

    def run(self, seed: int) -> Result:
        """Run the world with the mutant."""
        return self._run(seed, actors={self.actor.__module__.rpartition(".")[2].removesuffix("s"): self.actor})

    def run_without(self, seed: int) -> Result:
        """Run the same world with our actors as they are."""
        return self._run(seed)

    def _run(self, seed: int, **options: Any) -> Result:
        world = World(seed, faults=self.faults, strategy="portfolio", **self.options, **options)
        return world.run(self.start)

    def schedules(self, seeds: Iterable[int]) -> int | None:
        """Return how many of the seeds it takes to find the bug, None if they do not."""
        return next((count for count, seed in enumerate(seeds, 1) if is_found(self.run(seed))), None)


def is_found(result: Result) -> bool:
    """Return whether a check has failed: an exception in a handler would be a bug of the mutant itself."""
    failure = result.failure
    return failure is not None and failure.kind not in ("handler", "world")


_SHORT = {"step_limit": 20_000}
_APPENDS = "log-full,small-constants,unknown-outcome"
_RESTORES = "crash,kill,recover,small-constants"


def _shared(actor: type[EventSourcedActor[Any]], faults: str, seed: int, like: str = "") -> Mutant:
    return Mutant(actor=actor, start=share_partitions, faults=faults, seed=seed, like=like, options=_SHORT)


def _in_chaos(actor: type[EventSourcedActor[Any]], faults: str, seed: int, like: str = "") -> Mutant:
    return Mutant(actor=actor, start=chaos, faults=faults, seed=seed, like=like)


MUTANTS: tuple[Mutant, ...] = (
    _in_chaos(topics.AcknowledgesBeforeStoring, "none", 2, "Bufstream: loss of acknowledged writes"),
    _in_chaos(topics.AnswersStaleOffsets, "none", 2),
    _in_chaos(topics.AppendsBlindly, _APPENDS, 12),
    _in_chaos(topics.AppliesBeforeStoring, _APPENDS, 10, "KAFKA-6683"),
    _in_chaos(topics.DecidesSeparately, "all", 5),
    _in_chaos(topics.ForgetsSequences, _RESTORES, 7, "redpanda 3039"),
    Mutant(actor=topics.LosesWakeUps, start=wait_for_messages, faults="none", seed=4, like="KAFKA-9777"),
    _in_chaos(topics.StoresBehindGaps, _APPENDS, 10, "KAFKA-3197"),
    _in_chaos(producers.AcknowledgesUnknownOutcomes, _APPENDS, 3),
    _in_chaos(producers.RenumbersRetries, _APPENDS, 16, "KAFKA-14034"),
    Mutant(actor=consumers.AcceptsFormerFetches, start=seek_back, faults="none", seed=6, like="KAFKA-7786"),
    _shared(consumers.CommitsOnReceipt, "crash,kill", 101),
    _shared(consumers.CommitsRevokedPartitions, "pause,slow", 27, "librdkafka 2782"),
    _shared(consumers.IgnoresItsExpulsion, "pause,slow", 1),
    _shared(groups.AcceptsFormerGenerations, "swizzle", 25, "KAFKA-9823"),
    _shared(groups.ForgetsCommits, _RESTORES, 13),
    _shared(groups.GivesAwayOwnedPartitions, "pause,slow", 19, "KAFKA-7026"),
    _shared(groups.KeepsItsGeneration, "pause,slow", 3, "KAFKA-6119"),
    _shared(groups.KeepsSilentMembers, "hang,pause", 16),
    _shared(groups.ResumesTooFar, "crash,pause,slow", 6),
    _shared(groups.WaitsForTheDead, "hang,pause", 16, "KAFKA-12890"),
)
