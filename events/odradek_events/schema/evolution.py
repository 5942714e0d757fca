"""Reads events of older versions. The upcasters are declared with the event type, and checked at the declaration.

    @event(
        "MoneyMoved",
        version=3,
        formerly=("CashMoved",),
        upcasters=(
            Upcaster(1).rename("amount", "cents"),
            Upcaster(2).convert("cents", int).add("currency", "EUR"),
        ),
    )
    class MoneyMoved(msgspec.Struct, frozen=True): ...

Stored events never change; a read upcasts each version by version. Prior art: Axon (a chain of upcaster classes),
Marten (functions by event type), Pekko (event adapters), pyeventsourcing (a method of the class for each step). Chosen:
steps as data beside the class, since data can be checked backwards from the fields of the class. An unknown field name,
a dropped required field, a missing or a superfluous upcaster is found at import, not at the first old event. Not
chosen: turning one event into several or none (Axon), since positions and versions are facts too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from odradek_events.errors import RegistrationError
from odradek_events.schema.upcasters import Fields, Shape, Upcaster
from odradek_events.validation import items, shown

__all__ = ["Evolution"]


class Evolution:
    """The history of one event type: its former names, the versions that may be stored, and their upcasters."""

    __slots__ = ("_upcasters", "formerly", "name", "since", "tags_since", "version")

    def __init__(
        self,
        name: str,
        version: int,
        *,
        since: int = 1,
        formerly: Sequence[str] = (),
        upcasters: Iterable[Upcaster] = (),
        tags_since: int | None = None,
    ) -> None:
        self.name, self.version, self.since = name, version, since
        self.tags_since = version if tags_since is None else tags_since
        self.formerly = self._checked_names(formerly)
        for what, chosen in (("since", since), ("tags_since", self.tags_since)):
            if type(chosen) is not int or not 1 <= chosen <= version:
                raise RegistrationError(
                    f"{what} of event {name!r} must be a version from 1 to {version}, not {shown(chosen)}"
                )
        self._upcasters = self._checked_steps(upcasters)

    def covers(self, version: int) -> bool:
        """Say whether events of this version can be read."""
        return self.since <= version <= self.version

    def is_unchanged_since(self, version: int) -> bool:
        """Say whether events of this version need no step to become the current version."""
        return not any(item.steps for item in self._upcasters[version - self.since :])

    def upcast(self, version: int, fields: Fields) -> Fields:
        """Convert the fields of an event of `version` (`since` or later) to the current version."""
        for upcaster in self._upcasters[version - self.since :]:
            fields = upcaster.apply(fields)
        return fields

    def check_fields(self, known: Iterable[str], required: Iterable[str], tagged: Iterable[str]) -> None:
        """Check the steps against the class's stored fields; raise RegistrationError for a wrong step or `tags_since`.

        `required` are the fields without a default, `tagged` the fields that tags are computed from.
        """
        shape = Shape(known, required, tagged)
        for upcaster in reversed(self._upcasters):
            for step in reversed(upcaster.steps):
                problem = step.before(shape)
                if problem is not None:
                    raise RegistrationError(
                        f"Upcaster({upcaster.from_version}).{step} of event {self.name!r} is wrong: {problem}"
                    )
            if shape.is_retagged and self.tags_since <= upcaster.from_version:
                raise RegistrationError(
                    f"Upcaster({upcaster.from_version}) of event {self.name!r} changes fields that its tags are "
                    f"computed from, so events before version {upcaster.from_version + 1} were stored with other tags; "
                    f"set tags_since={upcaster.from_version + 1} or higher, or leave it out"
                )

    def _checked_names(self, formerly: Sequence[str]) -> tuple[str, ...]:
        if not isinstance(formerly, str):
            formerly = items("formerly", formerly)
        if isinstance(formerly, str):
            raise RegistrationError(
                f"the former names of event {self.name!r} must be a sequence, not the string {shown(formerly)}; "
                f"use formerly=({shown(formerly)},)"
            )
        names = tuple(formerly)
        for number, name in enumerate(names):
            if not isinstance(name, str) or not name:
                raise RegistrationError(
                    f"the former name {shown(name)} of event {self.name!r} is not a name; use a non-empty string"
                )
            if name == self.name:
                raise RegistrationError(f"event {name!r} has its own name as a former name; remove it from formerly")
            if name in names[:number]:
                raise RegistrationError(f"event {self.name!r} has the former name {name!r} twice; list it once")
        return names

    def _checked_steps(self, upcasters: Iterable[Upcaster]) -> tuple[Upcaster, ...]:
        by_version: dict[int, Upcaster] = {}
        for upcaster in items("upcasters", upcasters):
            if not isinstance(upcaster, Upcaster):
                raise RegistrationError(
                    f"{shown(upcaster)} is not an upcaster of event {self.name!r}; "
                    "use Upcaster(<version>) and its steps"
                )
            start = upcaster.from_version
            if start in by_version:
                raise RegistrationError(
                    f"event {self.name!r} has two upcasters from version {start}; combine their steps in one"
                )
            if not self.since <= start < self.version:
                raise RegistrationError(
                    f"event {self.name!r} has an upcaster from version {start}, but upcasters must be from version "
                    f"{self.since} or later and before {self.version}; remove it, or correct version or since"
                )
            by_version[start] = upcaster
        missing = [start for start in range(self.since, self.version) if start not in by_version]
        if missing:
            raise RegistrationError(
                f"event {self.name!r} version {self.version} has no upcaster from version {missing[0]}; add "
                f"Upcaster({missing[0]}), or set since={missing[-1] + 1} if no older version was ever stored"
            )
        return tuple(by_version[start] for start in range(self.since, self.version))
