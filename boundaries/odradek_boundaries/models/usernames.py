"""Unique usernames: no two open accounts have the same name. After the example of dcb.events.

The account is not the unit that keeps the rule: it is the name, before there is an account.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from odradek_boundaries.boundary import Boundary
from odradek_boundaries.lab import Lab, Model
from odradek_boundaries.read_sets import facts
from odradek_boundaries.workload import Draw, Workload
from odradek_events.schema.registry import event

__all__ = ["Close", "NameReleased", "NameTaken", "Register", "model"]


@event("usernames.NameTaken", tags=("account:{account}", "name:{name}"))
class NameTaken(msgspec.Struct, frozen=True):
    """An account has this name from now on."""

    account: str
    name: str


@event("usernames.NameReleased", tags=("account:{account}", "name:{name}"))
class NameReleased(msgspec.Struct, frozen=True):
    """An account was closed: its name is free again."""

    account: str
    name: str


class Register(msgspec.Struct, frozen=True):
    """Open an account with a name."""

    account: str
    name: str


class Close(msgspec.Struct, frozen=True):
    """Close the account that has a name."""

    name: str


class _Owners:
    """The accounts that have a name now, by name."""

    def __init__(self) -> None:
        self.by_name: dict[str, list[str]] = {}

    def apply_all(self, events: Sequence[Any]) -> None:
        for fact in events:
            owners = self.by_name.setdefault(fact.name, [])
            if isinstance(fact, NameTaken):
                owners.append(fact.account)
            elif fact.account in owners:
                owners.remove(fact.account)


def _register(known: _Owners, c: Register) -> NameTaken:
    if known.by_name.get(c.name):
        raise ValueError(f"the name {c.name} is taken")
    return NameTaken(c.account, c.name)


def _close(known: _Owners, c: Close) -> NameReleased:
    owners = known.by_name.get(c.name)
    if not owners:
        raise ValueError(f"no account has the name {c.name}")
    return NameReleased(owners[0], c.name)


def model(*, names: int = 100, skew: float = 0.9, count: int = 2000) -> Model:
    """Return the model. Names are drawn by Zipf with this skew."""
    lab = Lab()
    for command, decide in ((Register, _register), (Close, _close)):
        lab.decides(command, reads=lambda c: facts(NameTaken, NameReleased, name=c.name), state=lambda c: _Owners())(
            decide
        )

    @lab.draw
    def register(r: Draw) -> Register:
        return Register(f"a{r.getrandbits(40):x}", f"n{r.zipf(names, skew)}")

    @lab.draw
    def close(r: Draw) -> Close:
        return Close(f"n{r.zipf(names, skew)}")

    @lab.always(per="name", state=_Owners)
    def no_name_is_taken_twice(known: _Owners) -> bool:
        return all(len(owners) <= 1 for owners in known.by_name.values())

    boundaries = (
        Boundary("one unit"),
        Boundary("account, one per transaction", by=("account",), checks="unit"),
        Boundary("name", by=("name",)),
        Boundary("a query per decision", checks="facts"),
    )
    return Model(
        lab, boundaries, Workload({register: 60.0, close: 40.0}, count=count, per_second=300.0, service_ms=2.0)
    )
