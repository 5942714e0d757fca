"""A consumer group: three consumers join one after another and share four partitions; one leaves early.

Each order is processed once. Afterwards the log shows which member had which partitions in each generation.
"""

from collections.abc import Sequence
from threading import Event, Thread

from odradek import ActorSystem, ConsumerHandle, MemoryLog, RebalanceListener, TopicPartition

ORDERS = 400


class Committing(RebalanceListener):
    """Commits processed messages before partitions move to another member, so that nothing is processed twice."""

    def __init__(self, consumer: ConsumerHandle) -> None:
        self.consumer = consumer

    def on_partitions_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Commit the messages that `poll` returned; afterwards the commit would be refused."""
        self.consumer.commit()


def work(consumer: ConsumerHandle, done: list[int], is_over: Event) -> None:
    """Poll, process and commit until `is_over`; at the end of the `with` block the consumer leaves the group."""
    with consumer:
        consumer.subscribe(["orders"], listener=Committing(consumer))
        while not is_over.is_set() and len(done) < ORDERS:
            done.extend(int(message.value or b"") for message in consumer.poll(timeout=0.05))
            consumer.commit()


def main() -> None:
    """Let consumers join and leave while orders are produced."""
    log, done, workers = MemoryLog(), list[int](), list[Thread]()
    early, never = Event(), Event()
    with ActorSystem.open(log) as system, system.producer() as producer:
        system.create_topic("orders", partitions=4)
        for number in range(ORDERS):
            producer.send("orders", str(number), key=str(number)).result()
            if number in (0, 100, 200):
                name = "abc"[number // 100]
                consumer = system.consumer(name, "billing", assignors=["cooperative-sticky"])
                workers.append(Thread(target=work, args=(consumer, done, early if name == "a" else never)))
                workers[-1].start()
            elif number == 300:
                early.set()  # `a` closes, and its partitions move to the others
        for worker in workers:
            worker.join()
    print(f"done: {len(set(done))} of {ORDERS}, twice: {len(done) - len(set(done))}")
    for recorded in log.read(types=["GroupAssigned"]):
        shares = {one.member_id[0]: [number for _, number in one.partitions] for one in recorded.event.assignments}
        print(f"position {recorded.position:4}, generation {recorded.event.generation}: {shares}")


if __name__ == "__main__":
    main()
