"""Produce and consume: a topic with partitions, keys that stay together, a group that continues where it stopped.

Messages with the same key go to the same partition, chosen by Kafka's partitioner, and a partition keeps the order of
its messages. A committed offset is that of the next message to read, which is where the group continues.
"""

import tempfile
from pathlib import Path

from odradek import ActorSystem

ORDERS = [("alice", "1 tea"), ("bob", "1 cake"), ("alice", "2 teas"), ("dora", "1 coffee"), ("bob", "1 tea")]


def produce(system: ActorSystem) -> None:
    """Send one message and wait for its receipt, then a batch that becomes durable together."""
    with system.producer(client_id="checkout") as producer:
        receipt = producer.send("orders", key="alice", value="a table", headers=[("source", b"web")]).result()
        place = f"orders/{receipt.partition} offset {receipt.offset}"
        print(f"first message: {place}, position {receipt.position} in the log")
        receipts = producer.send_batch("orders", ORDERS).result()
        print(f"a batch of {len(receipts)}, in partitions {sorted({receipt.partition for receipt in receipts})}")


def consume(system: ActorSystem, max_messages: int) -> None:
    """Read some messages for the group `billing`, and commit them."""
    with system.consumer("billing-1", group="billing") as consumer:
        consumer.subscribe(["orders"])
        messages = consumer.poll(max_messages, timeout=1.0)
        for message in messages:
            key, value = (message.key or b"").decode(), (message.value or b"").decode()
            print(f"  orders/{message.partition} offset {message.offset}: {key} {value}")
        consumer.commit()
    print(f"read and committed {len(messages)}")


def main() -> None:
    """Run everything on one log in a temporary directory."""
    with tempfile.TemporaryDirectory() as directory, ActorSystem.open(Path(directory) / "orders.db") as system:
        system.create_topic("orders", partitions=3)
        produce(system)
        consume(system, max_messages=4)
        consume(system, max_messages=100)
        for committed in system.committed_offsets("billing"):
            print(f"group billing continues at offset {committed.offset} of orders/{committed.partition}")
        print(f"{system.describe_topic('orders').message_count} messages are in the topic, read or not")


if __name__ == "__main__":
    main()
