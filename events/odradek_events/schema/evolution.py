"""How events of older versions are read: declared with their type, and checked when it is declared.

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

Stored events stay as they are; each is led on version by version when it is read. Prior art: Axon (a chain of up-caster
classes), Marten (functions by event type), Pekko (event adapters), pyeventsourcing (a method of the class for each
step). Chosen: data beside the class, since steps that are data can be followed backwards from the fields of the class.
A name that nothing knows, a field dropped that is needed, a gap or a step too many is found at import, not at the first
old event. Not chosen: one event that becomes several or none (Axon), since positions and versions are facts too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from odradek_events.errors import RegistrationError
from odradek_events.schema.upcasters import Fields, Shape, Upcaster

__all__ = ["Evolution"]


class Evolution:
    """What one event type was before: its former names, the versions that may be stored, and the way from each."""

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
                raise RegistrationError(f"{what} of event {name!r} is a version from 1 to {version}, not {chosen!r}")
        self._upcasters = self._checked_steps(upcasters)

    def covers(self, version: int) -> bool:
        """Say whether events of this version can be read."""
        return self.since <= version <= self.version

    def is_unchanged_since(self, version: int) -> bool:
        """Say whether no step leads from this version to the current one."""
        return not any(item.steps for item in self._upcasters[version - self.since :])

    def upcast(self, version: int, fields: Fields) -> Fields:
        """Return the fields of an event of `version`, from `since` on, as the current version has them."""
        for upcaster in self._upcasters[version - self.since :]:
            fields = upcaster.apply(fields)
        return fields

    def check_fields(self, known: Iterable[str], required: Iterable[str], tagged: Iterable[str]) -> None:
        """Raise RegistrationError for a step that does not lead to these stored fields, or to tags known to differ.

        `required` are the fields without a default, `tagged` those that tags are made of.
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
                    f"Upcaster({upcaster.from_version}) of event {self.name!r} changes what its tags are made of, so "
                    f"events before version {upcaster.from_version + 1} were stored with other tags; "
                    f"set tags_since={upcaster.from_version + 1} at least, or leave it out"
                )

    def _checked_names(self, formerly: Sequence[str]) -> tuple[str, ...]:
        if isinstance(formerly, str):
            raise RegistrationError(
                f"the former names of event {self.name!r} are a sequence, not the string {formerly!r}; "
                f"write formerly=({formerly!r},)"
            )
        names = tuple(formerly)
        for number, name in enumerate(names):
            if not isinstance(name, str) or not name:
                raise RegistrationError(f"a former name of event {self.name!r} is {name!r}, which is not a name")
            if name == self.name:
                raise RegistrationError(f"event {name!r} cannot formerly have been {name!r}; name what it was before")
            if name in names[:number]:
                raise RegistrationError(f"event {self.name!r} has the former name {name!r} twice; name it once")
        return names

    def _checked_steps(self, upcasters: Iterable[Upcaster]) -> tuple[Upcaster, ...]:
        by_version: dict[int, Upcaster] = {}
        for upcaster in upcasters:
            if not isinstance(upcaster, Upcaster):
                raise RegistrationError(
                    f"an up-caster of event {self.name!r} is {upcaster!r}; write Upcaster(<version>) and its steps"
                )
            start = upcaster.from_version
            if start in by_version:
                raise RegistrationError(
                    f"event {self.name!r} has two up-casters from version {start}; put their steps into one"
                )
            if not self.since <= start < self.version:
                raise RegistrationError(
                    f"event {self.name!r} has an up-caster from version {start}, but those that are led on are from "
                    f"{self.since} up to before {self.version}; take it away, or mend version or since"
                )
            by_version[start] = upcaster
        missing = [start for start in range(self.since, self.version) if start not in by_version]
        if missing:
            raise RegistrationError(
                f"event {self.name!r} version {self.version} does not say how version {missing[0]} is read; give it "
                f"an Upcaster({missing[0]}), or since={missing[-1] + 1} if nothing older was ever stored"
            )
        return tuple(by_version[start] for start in range(self.since, self.version))
