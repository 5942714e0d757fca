"""Events of older versions and former names: their declaration, and reading them as the current type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from odradek_events import (
    Append,
    Appended,
    Condition,
    LogStore,
    MemoryLog,
    Query,
    QueryItem,
    Rejected,
    SqliteLog,
    Upcaster,
    event,
)
from odradek_events.errors import RegistrationError, UnknownEventType, UpcasterFailed
from odradek_events.maintenance.statistics import log_statistics
from odradek_events.maintenance.verify import verify
from odradek_events.record import CommitMetadata, Decision, StoredCommit
from odradek_events.schema.codec import Codec, OpaqueEvent
from odradek_events.schema.registry import Catalogue

T = datetime(2024, 5, 1, 12, tzinfo=UTC)
A_STEP = Upcaster(1).rename("name", "owner")


class Account(msgspec.Struct, frozen=True):
    """An account in its current version: version 1 had `name`, version 2 `owner`, version 3 also `currency`."""

    owner: str
    currency: str = "?"


STEPS = (Upcaster(1).rename("name", "owner"), Upcaster(2).add("currency", "EUR"))


def declared(cls: type[msgspec.Struct] = Account, name: str = "AccountOpened", **how: Any) -> Codec:
    """Return a codec that knows one type, declared in this way."""
    catalogue = Catalogue()
    event(name, catalogue=catalogue, **how)(cls)
    return Codec(catalogue)


def stored(events: bytes, *pairs: tuple[str, int], count: int = 1, position: int = 0) -> StoredCommit:
    """Return a stored commit of these events, as in a log of another program."""
    metadata = CommitMetadata("c", "", T, (Decision(count),), pairs)
    return StoredCommit(position, position + count - 1, "s/1", 0, msgspec.json.encode(metadata), b"", events)


def read(codec: Codec, fields: bytes, version: int = 1, name: str = "AccountOpened", position: int = 0) -> Any:
    """Return one stored event as read; its JSON is given without the type."""
    json = b'[{"type":"' + name.encode() + b'"' + (b"," + fields[1:] if fields != b"{}" else b"}") + b"]"
    (item,) = codec.commit(stored(json, (name, version), position=position)).events
    return item


# -- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "fields", "is_read_as"),
    [
        (1, b'{"name":"ann"}', ("ann", "EUR")),
        (2, b'{"owner":"bob"}', ("bob", "EUR")),
        (3, b'{"owner":"cid"}', ("cid", "?")),
        (3, b'{"owner":"cid","currency":"CHF"}', ("cid", "CHF")),
    ],
)
def test_each_version_passes_through_every_later_step(version: int, fields: bytes, is_read_as: tuple[str, str]) -> None:
    item = read(declared(version=3, upcasters=STEPS), fields, version)
    assert (item.owner, item.currency) == is_read_as


def test_steps_may_be_declared_in_any_order_of_versions() -> None:
    item = read(declared(version=3, upcasters=reversed(STEPS)), b'{"name":"ann"}')
    assert (item.owner, item.currency) == ("ann", "EUR")


def test_a_version_without_steps_is_read_unchanged() -> None:
    assert read(declared(version=2, upcasters=[Upcaster(1)]), b'{"owner":"ann"}').currency == "?"


def shouted(value: str) -> str:
    return value.upper()


def swapped(fields: dict[str, object]) -> dict[str, object]:
    return {"owner": fields["currency"], "currency": fields["owner"]}


@pytest.mark.parametrize(
    ("step", "fields", "is_read_as"),
    [
        (Upcaster(1).rename("name", "owner", default="nobody"), b"{}", ("nobody", "?")),
        (Upcaster(1).rename("name", "owner", default="nobody"), b'{"name":"ann"}', ("ann", "?")),
        (Upcaster(1).convert("owner", shouted), b'{"owner":"ann"}', ("ANN", "?")),
        (Upcaster(1).convert("currency", shouted, default="eur"), b'{"owner":"ann"}', ("ann", "EUR")),
        (Upcaster(1).drop("currency").add("currency", "CHF"), b'{"owner":"ann","currency":"x"}', ("ann", "CHF")),
        (Upcaster(1).drop("currency").add("currency", "CHF"), b'{"owner":"ann"}', ("ann", "CHF")),
        (
            Upcaster(1).rename("owner", "x").rename("currency", "owner").rename("x", "currency"),
            b'{"owner":"ann","currency":"EUR"}',
            ("EUR", "ann"),
        ),
        (Upcaster(1).transform(swapped), b'{"owner":"ann","currency":"EUR"}', ("EUR", "ann")),
    ],
    ids=str,
)
def test_a_step_does_what_it_says(step: Upcaster, fields: bytes, is_read_as: tuple[str, str]) -> None:
    item = read(declared(version=2, upcasters=[step]), fields)
    assert (item.owner, item.currency) == is_read_as


def test_an_added_value_is_converted_as_json_would_store_it() -> None:
    class Opened(msgspec.Struct, frozen=True):
        at: datetime
        secret: bytes
        sizes: dict[int, list[str]]

    step = Upcaster(1).add("at", T).add("secret", b"\xff").add("sizes", {1: ["a"]})
    item = read(declared(Opened, version=2, upcasters=[step]), b"{}")
    assert (item.at, item.secret, item.sizes) == (T, b"\xff", {1: ["a"]})


def test_each_event_gets_its_own_copy_of_an_added_value() -> None:
    class Opened(msgspec.Struct, frozen=True):
        names: list[str]

    def with_another(fields: dict[str, Any]) -> dict[str, Any]:
        fields["names"].append("x")
        return fields

    codec = declared(Opened, version=2, upcasters=[Upcaster(1).add("names", []).transform(with_another)])
    assert [read(codec, b"{}").names for _ in range(2)] == [["x"], ["x"]]


def test_steps_name_fields_as_they_are_stored() -> None:
    class Opened(msgspec.Struct, frozen=True, rename="camel"):
        first_owner: str

    codec = declared(Opened, version=2, upcasters=[Upcaster(1).rename("name", "firstOwner")])
    assert read(codec, b'{"name":"ann"}').first_owner == "ann"
    with pytest.raises(RegistrationError, match="the next version has no field 'first_owner'"):
        declared(Opened, version=2, upcasters=[Upcaster(1).rename("name", "first_owner")])


def test_large_numbers_pass_unchanged() -> None:
    class Opened(msgspec.Struct, frozen=True):
        number: int

    codec = declared(Opened, version=2, upcasters=[Upcaster(1).rename("n", "number")])
    assert read(codec, b'{"n":123456789012345678901234567890}').number == 123456789012345678901234567890


# -- former names -----------------------------------------------------------------------------------------------------


def test_an_event_of_a_former_name_is_read_as_its_current_type() -> None:
    codec = declared(version=3, formerly=("Opened", "Account.Opened"), upcasters=STEPS)
    for name in ("Opened", "Account.Opened", "AccountOpened"):
        assert read(codec, b'{"name":"ann"}', 1, name).owner == "ann"
        assert read(codec, b'{"owner":"ann"}', 3, name).owner == "ann"


def test_renaming_a_type_needs_no_new_version() -> None:
    assert read(declared(formerly=["Opened"]), b'{"owner":"ann"}', 1, "Opened").owner == "ann"


def test_an_event_of_a_former_name_has_its_current_name_and_stored_version() -> None:
    with written(Account, "Opened", [("s/1", "ann")]) as log:
        log.codec = declared(version=2, formerly=("Opened",), upcasters=[Upcaster(1)])
        (recorded,) = log.read()
    assert (recorded.type, recorded.metadata.type, recorded.metadata.schema_version) == (
        "AccountOpened",
        "AccountOpened",
        1,
    )


def test_a_name_belongs_to_one_type_whether_current_or_former() -> None:
    catalogue = Catalogue()
    event("A", formerly=("B",), catalogue=catalogue)(Account)

    class Other(msgspec.Struct, frozen=True):
        owner: str

    for name, formerly, reason in [
        ("B", (), r"event name 'B' is already used by .*\.Account as a former name; choose another"),
        ("C", ("A",), r"event name 'A' is already used by .*\.Account; choose another"),
        ("C", ("B",), "event name 'B' is already used by"),
    ]:
        with pytest.raises(RegistrationError, match=reason):
            event(name, formerly=formerly, catalogue=catalogue)(Other)
    assert catalogue.names() == ["A"]


def test_reloading_a_module_with_a_new_event_name_replaces_the_type() -> None:
    catalogue = Catalogue()
    event("Old", catalogue=catalogue)(Account)
    event("New", formerly=("Old",), catalogue=catalogue)(Account)
    assert catalogue.names() == ["New"]
    assert catalogue.current_name("Old") == "New"
    assert read(Codec(catalogue), b'{"owner":"ann"}', 1, "Old").owner == "ann"
    event("Old", catalogue=catalogue)(Account)
    assert catalogue.names() == ["Old"]
    assert catalogue.by_name("New") is None


# -- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "version"),
    [
        ({"version": 3, "upcasters": STEPS}, 4),
        ({"version": 3, "upcasters": STEPS}, 0),
        ({"version": 3, "upcasters": STEPS[1:], "since": 2}, 1),
    ],
)
def test_a_version_without_an_upcaster_is_unknown(how: dict[str, Any], version: int) -> None:
    with pytest.raises(UnknownEventType, match=f"position 7 is a 'AccountOpened' version {version}, which is not"):
        read(declared(**how), b'{"owner":"ann"}', version, position=7)


def test_an_old_event_is_upcast_even_if_its_commit_has_an_unknown_event() -> None:
    codec = declared(version=3, upcasters=STEPS, tags=("owner:{owner}",))
    mixed = b'[{"type":"Elsewhere","x":1},{"type":"AccountOpened","name":"ann"}]'
    row = stored(mixed, ("AccountOpened", 1), ("Elsewhere", 4), count=2, position=7)
    first, second = codec.commit(row, opaque=True).events
    assert first == OpaqueEvent("Elsewhere", 4, b'{"type":"Elsewhere","x":1}')
    assert second.owner == "ann"
    assert (codec.tags_of(first), codec.tags_of(second)) == ((), ("owner:ann",))
    with pytest.raises(UnknownEventType, match="position 7 is a 'Elsewhere' version 4"):
        codec.commit(row)


def refusing(value: object) -> object:
    raise LookupError(f"no {value}")


@pytest.mark.parametrize(
    ("step", "fields", "reason"),
    [
        (
            A_STEP,
            b"{}",
            r"Upcaster\(1\)\.rename\('name', 'owner'\): there is no field 'name'; if the field had a default value",
        ),
        (A_STEP, b'{"name":"a","owner":"b"}', "there is already a field 'owner'; drop or rename it first"),
        (
            A_STEP,
            b'{"name":5}',
            "the upcast fields do not form a 'AccountOpened' version 2: .*Expected `str`, got `int`",
        ),
        (Upcaster(1).add("currency", "EUR"), b'{"owner":"a","currency":"x"}', "there is already a field 'currency'"),
        (
            Upcaster(1).convert("owner", refusing),
            b'{"owner":"a"}',
            r"'owner', refusing\): LookupError\('no a'\)",
        ),
        (Upcaster(1).convert("owner", shouted), b"{}", "there is no field 'owner'"),
        (Upcaster(1).convert("owner", str.split), b'{"owner":"a"}', "Expected `str`, got `array`"),
        (Upcaster(1).convert("owner", lambda owner: object()), b'{"owner":"a"}', "the upcast fields do not form"),
        (
            Upcaster(1).transform(dict.clear),  # type: ignore[arg-type]  # the mistake
            b'{"owner":"a"}',
            "the function must return the fields as a dict without 'type', not None",
        ),
        (Upcaster(1).transform(lambda fields: {**fields, "type": "x"}), b'{"owner":"a"}', "without 'type'"),
    ],
    ids=str,
)
def test_a_failing_upcaster_is_reported_with_type_version_and_position(
    step: Upcaster, fields: bytes, reason: str
) -> None:
    codec = declared(version=2, upcasters=[step])
    with pytest.raises(UpcasterFailed, match=reason) as failed:
        read(codec, fields, position=5)
    assert (failed.value.type_name, failed.value.version, failed.value.position) == ("AccountOpened", 1, 5)
    assert str(failed.value).startswith(
        "the event at position 5 is a 'AccountOpened' version 1, which cannot be upcast to"
    )


def test_an_event_that_cannot_be_upcast_does_not_hide_others_of_its_commit() -> None:
    codec = declared(version=2, upcasters=[A_STEP])
    mixed = b'[{"type":"AccountOpened","name":"ann"},{"type":"AccountOpened"},{"type":"AccountOpened","name":"cid"}]'
    row = stored(mixed, ("AccountOpened", 1), count=3, position=7)
    first, second, third = codec.commit(row, opaque=True).events
    assert (first.owner, type(second), third.owner) == ("ann", OpaqueEvent, "cid")
    with pytest.raises(UpcasterFailed, match="at position 8 is a 'AccountOpened' version 1"):
        codec.commit(row)


def test_an_older_version_that_lacks_a_field_is_a_failing_upcaster_not_damage() -> None:
    with pytest.raises(
        UpcasterFailed, match="do not form a 'AccountOpened' version 2: the result has no field 'owner'"
    ):
        read(declared(version=2, upcasters=[Upcaster(1)]), b"{}")


def test_an_error_raised_by_the_event_class_is_a_failing_upcaster() -> None:
    class Checked(msgspec.Struct, frozen=True):
        owner: str

        def __post_init__(self) -> None:
            raise LookupError("nobody is good enough")

    with pytest.raises(UpcasterFailed, match="nobody is good enough"):
        read(declared(Checked, version=2, upcasters=[Upcaster(1)]), b'{"owner":"ann"}')


def test_a_log_with_a_failing_upcaster_is_readable_except_for_that_event() -> None:
    with written(Account, "AccountOpened", [("s/1", "ann"), ("s/2", "bob")]) as log:
        log.codec = declared(version=2, upcasters=[Upcaster(1).convert("owner", refused_for_bob)])
        (first, second) = log.read(opaque=True)
        assert first.event.owner == "ann"
        assert isinstance(second.event, OpaqueEvent)
        assert "no bob here" in second.event.reason
        with pytest.raises(UpcasterFailed, match="at position 1 is a 'AccountOpened' version 1"):
            list(log.read())
        assert [recorded.position for recorded in log.read(stream="s/1")] == [0]
        assert verify(log).is_sound
        assert [mistake.position for mistake in verify(log).model_mistakes] == [1]
        assert log_statistics(log).events_by_type == {"AccountOpened": 2}


def refused_for_bob(owner: str) -> str:
    if owner == "bob":
        raise ValueError("no bob here")
    return owner


# -- wrong declarations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"version": 2}, r"has no upcaster from version 1; add Upcaster\(1\), or set since=2 if no older"),
        ({"version": 3, "upcasters": STEPS[:1]}, r"has no upcaster from version 2; add Upcaster\(2\)"),
        ({"version": 3, "upcasters": STEPS[1:]}, r"no upcaster from version 1; add Upcaster\(1\), or set since=2 if"),
        ({"version": 4, "since": 2}, "no upcaster from version 2; .*, or set since=4 if no older"),
        ({"version": 2, "upcasters": STEPS}, "upcaster from version 2, .* version 1 or later and before 2; remove"),
        ({"version": 1, "upcasters": STEPS[:1]}, "an upcaster from version 1, but"),
        ({"version": 3, "since": 2, "upcasters": STEPS}, "upcaster from version 1, .* version 2 or later and before 3"),
        ({"version": 2, "upcasters": [A_STEP, A_STEP]}, "two upcasters from version 1; combine their steps in one"),
        ({"version": 2, "upcasters": [lambda fields: fields]}, r"is not an upcaster of .*; use Upcaster\(<version>\)"),
        ({"since": 0}, "since of event 'AccountOpened' must be a version from 1 to 1, not 0"),
        ({"since": 2}, "since of event 'AccountOpened' must be a version from 1 to 1, not 2"),
        ({"since": True}, "not True"),
        ({"tags_since": 2}, "tags_since of event 'AccountOpened' must be a version from 1 to 1, not 2"),
        ({"formerly": "Opened"}, r"not the string 'Opened'; use formerly=\('Opened',\)"),
        ({"formerly": ["AccountOpened"]}, "event 'AccountOpened' has its own name as a former name"),
        ({"formerly": ["A", "B", "A"]}, "has the former name 'A' twice; list it once"),
        ({"formerly": [""]}, "the former name '' of event 'AccountOpened' is not a name"),
        ({"formerly": [7]}, "the former name 7 of event"),
        (
            {"version": 2, "upcasters": [Upcaster(1).rename("name", "ownr")]},
            r"Upcaster\(1\)\.rename\('name', 'ownr'\) of event 'AccountOpened' is wrong: .* no field 'ownr'",
        ),
        ({"version": 2, "upcasters": [Upcaster(1).add("color", "red")]}, r"use one of \['currency', 'owner'\]"),
        ({"version": 2, "upcasters": [Upcaster(1).convert("color", str)]}, "has no field 'color'"),
        ({"version": 2, "upcasters": [Upcaster(1).drop("owner")]}, "requires the field 'owner'; keep it"),
        (
            {"version": 2, "upcasters": [Upcaster(1).drop("name").rename("name", "owner")]},
            "the next version requires the field 'name'",
        ),
        (
            {"version": 2, "upcasters": [Upcaster(1).add("currency", "a").add("currency", "b")]},
            "has no field 'currency'",
        ),
        (
            {"version": 3, "upcasters": [Upcaster(1).add("name", "x"), Upcaster(2)]},
            r"Upcaster\(1\)\.add\('name', 'x'\) .* has no field 'name'",
        ),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_refused_at_import(how: dict[str, Any], reason: str) -> None:
    with pytest.raises(RegistrationError, match=reason):
        declared(**how)


@pytest.mark.parametrize(
    ("declare", "reason"),
    [
        (lambda: Upcaster(0), r"must be an int of 1 or more, not 0; use one as in Upcaster\(1\)"),
        (lambda: Upcaster("1"), "not '1'"),  # type: ignore[arg-type]  # the mistake
        (lambda: Upcaster(True), "not True"),
        (lambda: Upcaster(1).rename("type", "kind"), r"Upcaster\(1\)\.rename\('type', 'kind'\) uses 'type'"),
        (lambda: Upcaster(1).add("type", "x"), "other than 'type', under which the log stores the event's type"),
        (lambda: Upcaster(1).drop(""), "uses '' as a field name"),
        (lambda: Upcaster(1).convert(1, str), "uses 1 as a field name"),  # type: ignore[arg-type]  # the mistake
        (lambda: Upcaster(1).add("x", object()), "has the value <object .*, which JSON cannot represent"),
    ],
)
def test_a_wrong_step_is_refused_when_it_is_declared(declare: Callable[[], object], reason: str) -> None:
    with pytest.raises(RegistrationError, match=reason):
        declare()


def test_steps_before_a_transform_are_not_checked() -> None:
    def gathered(fields: dict[str, object]) -> dict[str, object]:
        return {"owner": f"{fields['first']} {fields['last']}"}

    codec = declared(version=3, upcasters=[Upcaster(1).add("last", "?"), Upcaster(2).transform(gathered)])
    assert read(codec, b'{"first":"ann"}').owner == "ann ?"


# -- in a log ---------------------------------------------------------------------------------------------------------


class Owned(msgspec.Struct, frozen=True):
    """An account in an older version."""

    owner: str


class Named(msgspec.Struct, frozen=True):
    """An account with an older field name."""

    name: str


def written(
    cls: type[msgspec.Struct], name: str, events: Sequence[tuple[str, str]], log: LogStore | None = None, **how: Any
) -> LogStore:
    """Return a log with events of an older declaration, each a commit of (stream, owner)."""
    log = log or MemoryLog()
    log.codec = declared(cls, name, **how)
    kind = log.codec.catalogue.by_name(name)
    assert kind is not None
    for stream, owner in events:
        (verdict,) = log.append([Append(stream=stream, events=[kind.cls(owner)])], T + timedelta(seconds=1))
        assert isinstance(verdict, Appended), verdict
    return log


def owners(log: LogStore, **what: Any) -> list[str]:
    """Return the owners of the accounts that a read finds."""
    return [recorded.event.owner for recorded in log.read(**what)]


@pytest.fixture(params=["memory", "file"])
def any_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogStore]:
    """A new log in memory and in a file."""
    with MemoryLog() if request.param == "memory" else SqliteLog(tmp_path / "log.db", durability="off") as log:
        yield log


@pytest.fixture
def grown(any_log: LogStore) -> LogStore:
    """A log with versions 1 and 2 under the type's former name, and version 3 under its name; tagged from 2 on."""
    written(Named, "Opened", [("s/1", "ann"), ("s/2", "bob")], any_log)
    written(Owned, "Opened", [("s/1", "cid")], any_log, version=2, since=2, tags=("owner:{owner}",))
    written(Account, "AccountOpened", [("s/2", "ann")], any_log, version=3, since=3, tags=("owner:{owner}",))
    any_log.codec = declared(version=3, formerly=("Opened",), upcasters=STEPS, tags=("owner:{owner}",))
    return any_log


def test_reading_by_type_finds_events_stored_under_a_former_name(grown: LogStore) -> None:
    assert owners(grown, types=["AccountOpened"]) == ["ann", "bob", "cid", "ann"]
    assert owners(grown, types=["AccountOpened", "Elsewhere"], stream="s/1") == ["ann", "cid"]
    assert [event.owner for commit in grown.commits(types=["AccountOpened"]) for event in commit.events] == [
        "ann",
        "bob",
        "cid",
        "ann",
    ]


def test_a_former_name_stands_for_the_type(grown: LogStore) -> None:
    assert owners(grown, types=["Opened"]) == ["ann", "bob", "cid", "ann"]
    assert owners(grown, types=["Elsewhere"]) == []


def test_reading_by_tag_finds_older_events_stored_without_the_tag(grown: LogStore) -> None:
    assert owners(grown, tags=["owner:ann"]) == ["ann", "ann"]
    assert owners(grown, tags=["owner:bob"], types=["AccountOpened"]) == ["bob"]
    assert owners(grown, tags=["owner:bob"], types=["Elsewhere"]) == []
    assert owners(grown, tags=["owner:cid"], stream="s/1") == ["cid"]
    assert [commit.first_position for commit in grown.commits(tags=["owner:cid"], types=["Opened"])] == [0, 1, 2, 3]


def test_events_stored_with_current_tags_are_found_by_the_index_alone(grown: LogStore) -> None:
    """Version 1 was stored without tags, so a wrong `tags_since` does not find it."""
    how: dict[str, Any] = {"version": 3, "formerly": ("Opened",), "upcasters": STEPS, "tags": ("owner:{owner}",)}
    grown.codec = declared(**how, tags_since=1)
    assert owners(grown, tags=["owner:ann"]) == ["ann"]
    assert owners(grown, tags=["owner:cid"]) == ["cid"]
    assert len(list(grown.stored(tags=["owner:cid"]))) == 1
    assert [commit.first_position for commit in grown.commits(tags=["owner:cid"])] == [2]
    grown.codec = declared(**how, tags_since=2)
    assert owners(grown, tags=["owner:ann"]) == ["ann", "ann"]


@pytest.mark.parametrize(
    ("step", "is_retagged"),
    [
        (Upcaster(1), False),
        (Upcaster(1).rename("name", "owner"), False),
        (Upcaster(1).add("currency", "EUR"), False),
        (Upcaster(1).convert("owner", shouted), True),
        (Upcaster(1).rename("name", "owner").convert("owner", shouted), True),
        (Upcaster(1).convert("name", shouted, default="").rename("name", "owner"), True),
        (Upcaster(1).add("owner", "ann"), True),
        (Upcaster(1).drop("owner").add("owner", "ann"), True),
        (Upcaster(1).transform(swapped), True),
    ],
    ids=str,
)
def test_tags_since_must_not_cover_versions_whose_tags_a_step_changes(step: Upcaster, is_retagged: bool) -> None:
    how: dict[str, Any] = {"version": 2, "upcasters": [step], "tags": ("owner:{owner}",)}
    declared(**how)
    declared(**how, tags_since=2)
    declared(**{**how, "tags": ("all",)}, tags_since=1)
    if is_retagged:
        with pytest.raises(
            RegistrationError, match=r"changes fields that its tags are computed from, .* set tags_since=2 or higher"
        ):
            declared(**how, tags_since=1)
    else:
        declared(**how, tags_since=1)


def test_a_condition_matches_older_versions_former_names_and_events_of_the_same_call(grown: LogStore) -> None:
    kind = grown.codec.catalogue.by_name("AccountOpened")
    assert kind is not None

    def attempt(owner: str, *items: QueryItem, after: int = -1) -> Append:
        condition = Condition(Query(items), after)
        return Append(stream=f"s/{owner}", events=[kind.cls(owner)], condition=condition)

    def position(verdict: object) -> int | None:
        return getattr(verdict.error, "position", None) if isinstance(verdict, Rejected) else None

    verdicts = grown.append(
        [
            attempt("bob", QueryItem(("AccountOpened",), ("owner:bob",))),
            attempt("bob", QueryItem(("Opened",)), after=2),
            attempt("bob", QueryItem((), ("owner:bob",)), after=1),
            attempt("bob", QueryItem(("Opened",), ("owner:bob",)), after=1),
        ],
        T + timedelta(seconds=2),
    )
    assert list(map(position, verdicts)) == [1, 3, None, 4]


def test_a_subscription_returns_older_versions_upcast(grown: LogStore) -> None:
    with grown.subscribe(types=["AccountOpened"], tags=["owner:bob"]) as subscription:
        found = subscription.take(timeout=0)
        assert found is not None
        assert (found.position, found.event.owner, found.event.currency) == (1, "bob", "EUR")
        assert subscription.take(timeout=0) is None


def test_a_log_with_older_versions_and_former_names_is_sound_and_counted_by_current_names(grown: LogStore) -> None:
    report = verify(grown)
    assert (report.is_sound, report.events, report.unknown_types) == (True, 4, ())
    assert log_statistics(grown).events_by_type == {"AccountOpened": 4}
    grown.codec = Codec(Catalogue())
    report = verify(grown)
    assert (report.is_sound, report.events, report.unknown_types) == (True, 4, ("AccountOpened", "Opened"))
    assert log_statistics(grown).events_by_type == {"Opened": 3, "AccountOpened": 1}


def test_a_former_name_in_an_unknown_version_is_counted_with_its_type_and_refused_with_its_position(
    grown: LogStore,
) -> None:
    grown.codec = declared(version=3, formerly=("Opened",), since=2, upcasters=STEPS[1:])
    assert log_statistics(grown).events_by_type == {"AccountOpened": 4}
    assert [recorded.position for recorded in grown.read(types=["AccountOpened"], opaque=True)] == [0, 1, 2, 3]
    with pytest.raises(UnknownEventType, match="position 0 is a 'Opened' version 1"):
        owners(grown, types=["AccountOpened"])
    assert owners(grown, types=["AccountOpened"], after=1) == ["cid", "ann"]
