"""The mutant gate: worlds find every planted bug, and find nothing in the same worlds without it.

Each mutant has a seed that finds it. A change of the product can change what the seed does; the seeds from 0 on then
take its place, as many as the budget has. `make sweep` measures how many schedules a mutant takes.
"""

from __future__ import annotations

import itertools

import pytest
from mutants import consumers, groups, producers, topics
from mutants.catalogue import BUDGET, MUTANTS, Mutant


def name(mutant: Mutant) -> str:
    """Return how a mutant is called in a test's name."""
    return mutant.name


def test_every_mutant_is_in_the_catalogue_and_there_are_enough() -> None:
    planted = [actor for module in (topics, producers, consumers, groups) for actor in module.__all__]
    assert sorted(mutant.name for mutant in MUTANTS) == sorted(planted)
    assert len(planted) >= 16


@pytest.mark.parametrize("mutant", MUTANTS, ids=name)
def test_a_world_finds_the_mutant(mutant: Mutant) -> None:
    assert mutant.schedules(itertools.chain([mutant.seed], range(BUDGET))) is not None


@pytest.mark.parametrize("mutant", MUTANTS, ids=name)
def test_the_same_world_finds_nothing_without_the_mutant(mutant: Mutant) -> None:
    mutant.run_without(mutant.seed).check()
