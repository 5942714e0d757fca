"""Recovery from snapshots: what is read, what is passed over, when snapshots are taken, and that nothing needs them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.accounts import Account, AccountActor, AccountSnapshot, Balance, Deposit, SavedAccount, SavedAccountActor
from support.actors import World, produce, read_all, values
from support.domain import record
from support.snapshots import versions

from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import SnapshotWarning
from odradek_actors.messages.recovery import SnapshotSchema
from odradek_events import MemoryLog, SqliteLog
from odradek_events.errors import SnapshotsUnavailable
from odradek_events.record import StoredCommit
from odradek_events.snapshots.store import MemorySnapshots, StoredSnapshot
from odradek_events.testing import FaultyLog


class CountingLog(MemoryLog):
    """A log that notes which streams' commits were read, by their first positions."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[str, int]] = []

    def stored(
        self,
        *,
        after: int = -1,
        until: int | None = None,
        stream: str | None = None,
        tags: Collection[str] = (),
        types: Collection[str] = (),
    ) -> Iterator[StoredCommit]:
        for stored in super().stored(after=after, until=until, stream=stream, tags=tags, types=types):
            if stream is not None:
                self.reads.append((stream, stored.first_position))
            yield stored

    def read_of(self, stream: str) -> int:
        """Return how many commits were read of a stream since the last call."""
        count = sum(name == stream for name, _ in self.reads)
        self.reads.clear()
        return count


@pytest.fixture
def log() -> CountingLog:
    return CountingLog()


@pytest.fixture
def snapshots() -> MemorySnapshots:
    return MemorySnapshots()


@pytest.fixture
def world(log: CountingLog, snapshots: MemorySnapshots) -> Iterator[World]:
    world = World(log, snapshots=snapshots)
    yield world
    world.close()


def fill(world: World, messages: int, **settings: Any) -> ActorSystem:
    """Create a topic and send so many messages, each a commit; returns when every snapshot is saved."""
    system = world.open(**settings)
    system.create_topic("orders", 3)
    for number in range(messages):
        produce(system, "orders", str(number))
        if number % 5 == 0:
            system.settle()  # of snapshots that wait together only the newest is saved
    system.settle()
    return system


# -- what is read ------------------------------------------------------------------------------------------------------


def test_without_snapshots_a_recovery_reads_the_whole_stream(world: World, log: CountingLog) -> None:
    fill(world, 25, snapshot_interval=0)
    world.crash()
    log.reads.clear()

    world.open(snapshot_interval=0).describe_topic("orders")

    assert log.read_of("topic/orders") == 26


def test_a_recovery_reads_only_events_after_the_newest_snapshot(
    world: World, log: CountingLog, snapshots: MemorySnapshots
) -> None:
    fill(world, 25, snapshot_interval=10)
    assert versions(snapshots, "topic/orders") == [9, 19]
    world.crash()
    log.reads.clear()

    system = world.open(snapshot_interval=10)

    assert system.describe_topic("orders").message_count == 25
    assert log.read_of("topic/orders") == 6  # versions 20 to 25
    assert system.check_replay().holds


def test_after_an_orderly_stop_nothing_of_a_stream_is_read(world: World, log: CountingLog) -> None:
    system = fill(world, 25)
    consumer = system.consumer("c", "g")
    consumer.subscribe(["orders"])
    read_all(consumer, 25)
    consumer.commit()
    system.close()
    log.reads.clear()

    again = world.open()
    assert again.describe_topic("orders").message_count == 25
    assert [offset.offset for offset in again.committed_offsets("g")]
    assert again.producer("p").message_count == 25
    again.query("consumer/c", None).exception()

    for stream in ("topic/orders", "group/g", "producer/p", "consumer/c"):
        assert stream not in {name for name, _ in log.reads}
    again.settle()
    assert again.check_replay().holds
    assert again.check_replay().streams == 2  # topic and group: nobody uses the others


def test_a_recovery_in_place_uses_snapshots_too(log: CountingLog, snapshots: MemorySnapshots) -> None:
    world = World(log, recovering=True, snapshots=snapshots)
    system = world.open(snapshot_interval=1)
    system.create_topic("orders")
    for number in range(20):
        produce(system, "orders", str(number))
        system.settle()
    log.reads.clear()

    produce(system, "orders", "last")
    system.settle()

    assert log.read_of("topic/orders") <= 2
    assert system.check_replay().holds
    world.close()


def test_what_changes_after_a_snapshot_is_there_after_a_crash(world: World) -> None:
    system = fill(world, 25, snapshot_interval=10)
    system.delete_records("orders", 0, 2)
    system.add_partitions("orders", 4)
    consumer = system.consumer("c")
    consumer.subscribe(["orders"])
    before = read_all(consumer, 10)
    consumer.commit()
    world.crash()

    again = world.open(snapshot_interval=10)
    consumer = again.consumer("c")
    consumer.subscribe(["orders"])
    produce(again, "orders", "25", "26")
    after = read_all(consumer, 25 - len(before))

    assert again.check_replay().holds
    assert len(again.describe_topic("orders").partitions) == 4
    assert not set(values(before)) & set(values(after))


def test_messages_from_before_the_snapshot_are_read_from_the_log(world: World) -> None:
    fill(world, 25).close()

    system = world.open()
    consumer = system.consumer("c")
    consumer.subscribe(["orders"])

    assert sorted(map(int, values(read_all(consumer, 25)))) == list(range(25))


def test_a_recreated_topic_is_read_from_its_start_after_a_restart(world: World) -> None:
    system = fill(world, 3)
    system.delete_topic("orders")
    system.create_topic("orders")
    produce(system, "orders", "new")
    system.close()

    again = world.open()
    consumer = again.consumer("c")
    consumer.subscribe(["orders"])

    assert values(read_all(consumer, 1)) == ["new"]


def test_a_repeat_of_a_batch_from_before_the_snapshot_is_still_recognised(faulty: FaultyLog) -> None:
    snapshots = MemorySnapshots()
    world = World(faulty, snapshots=snapshots)
    system = world.open(snapshot_interval=1)
    produce(system, "orders", "1")
    system.settle()
    faulty.lose_answer("topic/", written=True)

    (receipt,) = produce(system, "orders", "2")

    assert receipt.offset == 1
    assert system.describe_topic("orders").message_count == 2
    assert system.check_replay().holds
    world.close()


# -- what is passed over -----------------------------------------------------------------------------------------------


def tampered(snapshots: MemorySnapshots, change: Callable[[StoredSnapshot], StoredSnapshot], newest: int = 1) -> None:
    """Change the newest snapshots of the topic."""
    for version in versions(snapshots, "topic/orders")[-newest:]:
        found = snapshots.load("topic/orders", version)
        assert found is not None
        snapshots.save([change(found)])


def resealed(**change: Any) -> Callable[[StoredSnapshot], StoredSnapshot]:
    """Return what makes another, intact snapshot of one."""

    def make(found: StoredSnapshot) -> StoredSnapshot:
        made = msgspec.structs.replace(found, **change)
        return StoredSnapshot.sealed(made.end, made.name, made.schema, made.payload)

    return make


def other_digest(found: StoredSnapshot) -> StoredSnapshot:
    return resealed(end=msgspec.structs.replace(found.end, digest=b"\0" * 32))(found)


UNUSABLE: dict[str, Callable[[StoredSnapshot], StoredSnapshot]] = {
    "damaged": lambda found: msgspec.structs.replace(found, payload=found.payload.replace(b"orders", b"orderz")),
    "of a newer schema": resealed(schema=99),
    "of another kind": resealed(name="account"),
    "of another history": other_digest,
    "not to be decoded": resealed(payload=b'{"topic":'),
    "of another shape": resealed(payload=b'{"topic":{"name":1}}'),
    "empty": resealed(payload=b""),
    "of a topic at another version": lambda found: resealed(
        payload=found.payload.replace(b'"version":%d' % found.end.version, b'"version":3')
    )(found),
    "of a topic that no topic can be": resealed(
        payload=b'{"topic":{"name":"","version":0,"topic_id":null,"created_at":null,"partitions":[]},"created_position":0}'
    ),
}


@pytest.mark.parametrize("change", UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize("newest", [1, 2])
def test_an_unusable_snapshot_is_skipped(
    world: World,
    log: CountingLog,
    snapshots: MemorySnapshots,
    change: Callable[[StoredSnapshot], StoredSnapshot],
    newest: int,
) -> None:
    fill(world, 25, snapshot_interval=10)
    world.crash()
    tampered(snapshots, change, newest)

    system = world.open(snapshot_interval=10)

    assert system.describe_topic("orders").message_count == 25
    assert system.check_replay().holds
    assert produce(system, "orders", "on")[0].position == log.head().position


def test_an_older_snapshot_replaces_a_damaged_one(world: World, log: CountingLog, snapshots: MemorySnapshots) -> None:
    fill(world, 25, snapshot_interval=10)
    world.crash()
    tampered(snapshots, UNUSABLE["damaged"])
    log.reads.clear()

    world.open(snapshot_interval=10).describe_topic("orders")

    assert log.read_of("topic/orders") == 16  # versions 10 to 25


def test_a_skipped_snapshot_is_replaced_by_the_next(world: World, log: CountingLog, snapshots: MemorySnapshots) -> None:
    fill(world, 25, snapshot_interval=10)
    world.crash()
    tampered(snapshots, UNUSABLE["of a newer schema"], newest=2)
    system = world.open(snapshot_interval=10)
    system.describe_topic("orders")
    system.settle()
    world.crash()
    log.reads.clear()

    world.open(snapshot_interval=10).describe_topic("orders")

    assert log.read_of("topic/orders") == 0


def test_snapshots_beyond_the_end_of_a_truncated_log_are_skipped(
    world: World, log: CountingLog, snapshots: MemorySnapshots
) -> None:
    fill(world, 25, snapshot_interval=10).close()
    lost = MemoryLog()
    for commit in log.commits(until=12):
        record(lost, commit.stream, *commit.events, when=commit.metadata.recorded_at)
    cut = World(lost, snapshots=snapshots)

    system = cut.open(snapshot_interval=10)
    left = system.describe_topic("orders").message_count
    produce(system, "orders", *map(str, range(100)))
    system.settle()

    assert 0 < left < 25
    assert system.describe_topic("orders").message_count == left + 100
    assert system.check_replay().holds
    cut.close()


def test_snapshots_of_another_log_are_skipped(world: World, snapshots: MemorySnapshots) -> None:
    fill(world, 25, snapshot_interval=10)
    world.crash()
    other = World(MemoryLog(), snapshots=snapshots)
    system = fill(other, 30, snapshot_interval=0)
    other.crash()

    system = other.open(snapshot_interval=10)

    assert system.describe_topic("orders").message_count == 30
    assert system.check_replay().holds
    other.close()


class Unavailable(MemorySnapshots):
    """Snapshots that can be neither loaded nor saved."""

    def save(self, snapshots: Sequence[StoredSnapshot]) -> None:
        raise SnapshotsUnavailable("they", "a full disk")

    def load(self, stream: str, at_most: int | None = None) -> StoredSnapshot | None:
        raise SnapshotsUnavailable("they", "a broken disk")


class Broken(MemorySnapshots):
    """A store with bugs."""

    def save(self, snapshots: Sequence[StoredSnapshot]) -> None:
        raise ZeroDivisionError

    def load(self, stream: str, at_most: int | None = None) -> StoredSnapshot | None:
        raise ZeroDivisionError


@pytest.mark.parametrize("store", [Unavailable, Broken])
def test_nothing_depends_on_snapshots(log: CountingLog, store: type[MemorySnapshots]) -> None:
    world = World(log, snapshots=store())
    fill(world, 25, snapshot_interval=3).close()

    system = world.open(snapshot_interval=3)
    assert system.describe_topic("orders").message_count == 25
    assert system.check_replay().holds
    system.close()
    world.close()


# -- when they are taken -----------------------------------------------------------------------------------------------


def test_an_interval_of_0_disables_snapshots(world: World, log: CountingLog, snapshots: MemorySnapshots) -> None:
    fill(world, 5).close()
    taken = len(list(snapshots.scan()))
    assert taken
    log.reads.clear()

    system = world.open(snapshot_interval=0)
    produce(system, "orders", "1")
    system.close()

    assert log.reads
    assert len(list(snapshots.scan())) == taken


def test_a_stop_without_new_events_takes_no_snapshot(world: World, snapshots: MemorySnapshots) -> None:
    fill(world, 5).close()
    before = list(snapshots.scan())

    system = world.open()
    system.describe_topic("orders")
    system.close()

    assert list(snapshots.scan()) == before


def test_a_stream_without_events_has_no_snapshot(world: World, snapshots: MemorySnapshots) -> None:
    system = world.open(auto_create_topics=False)
    system.query("topic/none", None).exception()
    system.close()

    assert list(snapshots.scan()) == []


def test_a_long_recovery_takes_a_snapshot_at_once(world: World, log: CountingLog, snapshots: MemorySnapshots) -> None:
    fill(world, 25, snapshot_interval=0).close()

    system = world.open(snapshot_interval=20)
    system.describe_topic("orders")
    system.settle()

    assert versions(snapshots, "topic/orders") == [25]


def test_large_snapshots_are_taken_more_rarely(world: World, snapshots: MemorySnapshots) -> None:
    system = world.open(snapshot_interval=10)
    system.create_topic("orders", 5000)
    saves: set[int] = set()
    for _ in range(30):
        produce(system, "orders", *["x"] * 10, partition=0)
        system.settle()
        saves |= set(versions(snapshots, "topic/orders"))

    size = len(getattr(snapshots.load("topic/orders"), "payload", b""))
    rarer = size // 50_000
    assert rarer >= 8
    assert len(saves) == 1 + 290 // (10 * rarer)  # the first after 10 events


# -- of one's own ------------------------------------------------------------------------------------------------------


def deposits(world: World, actor: type[AccountActor], count: int, **settings: Any) -> ActorSystem:
    """Deposit 1 so often."""
    bank = world.open(actors={"account": actor}, **settings)
    for _ in range(count):
        bank.actor("account/a").ask(Deposit(1)).result()
    bank.settle()
    return bank


def test_a_user_defined_actor_without_a_schema_has_no_snapshots(
    world: World, log: CountingLog, snapshots: MemorySnapshots
) -> None:
    deposits(world, AccountActor, 5, snapshot_interval=1).close()
    log.reads.clear()

    bank = world.open(actors={"account": AccountActor}, snapshot_interval=1)

    assert bank.actor("account/a").query(Balance()).result() == 5
    assert log.read_of("account/a") == 5
    assert list(snapshots.scan()) == []


def test_a_user_defined_actor_with_a_schema_has_snapshots(
    world: World, log: CountingLog, snapshots: MemorySnapshots
) -> None:
    deposits(world, SavedAccountActor, 5, snapshot_interval=3)
    assert versions(snapshots, "account/a") == [2]
    world.crash()
    log.reads.clear()

    bank = world.open(actors={"account": SavedAccountActor}, snapshot_interval=3)

    assert bank.actor("account/a").query(Balance()).result() == 5
    assert log.read_of("account/a") == 2
    assert bank.check_replay().holds


class NewerAccountActor(SavedAccountActor):
    snapshot_schema = SnapshotSchema("account", 2, AccountSnapshot)


def test_a_higher_schema_version_invalidates_older_snapshots(world: World, log: CountingLog) -> None:
    deposits(world, SavedAccountActor, 5).close()
    log.reads.clear()

    bank = world.open(actors={"account": NewerAccountActor})

    assert bank.actor("account/a").query(Balance()).result() == 5
    assert log.read_of("account/a") == 5


class ForgetfulAccount(SavedAccount):
    @classmethod
    def restore(cls, snapshot: AccountSnapshot) -> SavedAccount:
        account = cls()
        account.balance = snapshot.balance
        return account


class WrongAboutSnapshots(SavedAccountActor):
    def take_snapshot(self) -> msgspec.Struct:
        return Deposit(1)


class FailsToTake(SavedAccountActor):
    def take_snapshot(self) -> msgspec.Struct:
        raise ArithmeticError("no snapshot")


class FailsToRestore(SavedAccountActor):
    def restore(self, snapshot: Any) -> Account:
        raise ArithmeticError("no restore")


class RestoresToNoVersion(SavedAccountActor):
    def initial_state(self) -> Account:
        return ForgetfulAccount()


class RestoresNothing(SavedAccountActor):
    def restore(self, snapshot: Any) -> Any:
        return None


WRONG: list[tuple[type[AccountActor], str]] = [
    (WrongAboutSnapshots, r"take_snapshot .*failed: TypeError.*returned a Deposit, not the schema's AccountSnapshot"),
    (FailsToTake, r"take_snapshot .*failed: ArithmeticError"),
    (FailsToRestore, r"restore .*failed: ArithmeticError"),
    (RestoresToNoVersion, r"restore .*failed: ValueError.*from version 4, the aggregate is at -1"),
    (RestoresNothing, r"restore .*failed: TypeError.*returned None"),
]


@pytest.mark.parametrize("actor", [actor for actor, _ in WRONG])
def test_a_user_defined_actor_with_failing_snapshots_works_without_them(
    world: World, actor: type[AccountActor]
) -> None:
    deposits(world, actor, 5, snapshot_interval=2).close()

    bank = world.open(actors={"account": actor}, snapshot_interval=2)

    assert bank.actor("account/a").query(Balance()).result() == 5
    assert bank.actor("account/a").ask(Deposit(1)).result() == 6


@pytest.mark.parametrize(("actor", "reason"), WRONG)
def test_an_actor_with_failing_snapshots_issues_a_warning(world: World, actor: type[AccountActor], reason: str) -> None:
    def live_twice() -> None:
        deposits(world, actor, 5, snapshot_interval=2).close()
        world.open(actors={"account": actor}, snapshot_interval=2).actor("account/a").query(Balance()).result()

    with pytest.warns(SnapshotWarning, match=f"{actor.__name__}: {reason}.*no data is lost"):
        live_twice()


# -- on a file ---------------------------------------------------------------------------------------------------------


def test_a_system_on_a_file_leaves_its_snapshots_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    with ActorSystem.open(path) as system:
        produce(system, "orders", "1", "2")
    assert Path(f"{path}.snapshots").exists()
    assert not list(tmp_path.glob("*-wal"))

    with ActorSystem.open(path) as system:
        assert system.describe_topic("orders").message_count == 2
        assert system.check_replay().holds

    Path(f"{path}.snapshots").unlink()
    with ActorSystem.open(path) as system:
        assert system.describe_topic("orders").message_count == 2
        assert system.check_replay().holds


def test_the_file_of_a_running_system_may_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    with ActorSystem.open(path, snapshot_interval=2) as system:
        for number in range(5):
            produce(system, "orders", str(number))
        system.settle()
        for name in tmp_path.glob("*.snapshots*"):
            name.unlink()
        for number in range(5):
            produce(system, "orders", str(number))
    with ActorSystem.open(path) as system:
        assert system.describe_topic("orders").message_count == 10
        assert system.check_replay().holds


def test_a_garbled_file_of_snapshots_does_not_hinder_a_system(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    with ActorSystem.open(path) as system:
        produce(system, "orders", "1", "2")
    Path(f"{path}.snapshots").write_bytes(b"\xff" * 10_000)

    with ActorSystem.open(path) as system:
        assert system.describe_topic("orders").message_count == 2
        produce(system, "orders", "3")

    with SqliteLog(path) as log, ActorSystem.open(log) as system:
        assert versions(system.snapshots, "topic/orders") == [3]
        assert system.describe_topic("orders").message_count == 3


def test_a_reopened_consumer_resumes_at_offsets_committed_before_a_snapshot(world: World) -> None:
    system = fill(world, 10)
    with system.consumer("c", "g") as consumer:
        consumer.subscribe(["orders"])
        read_all(consumer, 10)
        consumer.commit()
    system.close()

    again = world.open()
    produce(again, "orders", "new")
    with again.consumer("c", "g") as consumer:
        consumer.subscribe(["orders"])
        assert values(read_all(consumer, 1)) == ["new"]
