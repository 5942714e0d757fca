"""Find the billing that loses orders when its process crashes: in virtual time, from seeds that repeat each run.

The shop and the billing are ordinary clients. In a world with faults the log fails, actors die or stand still, and the
process crashes. One billing commits before it bills, the other one afterwards.
"""

from odradek import ActorSystem
from odradek.errors import ActorError, DomainError, LogError
from odradek.simulation import Result, World

FAILURES = (ActorError, DomainError, LogError)  # what faults cause; the clients try again


def run(seed: int, *, commits_first: bool) -> Result:
    """Run a shop and its billing in a world of their own."""
    to_sell = [f"order {number}" for number in range(12)]  # the world outside remembers this across crashes
    sold, billed = list[str](), list[str]()
    world = World(seed, faults="crash,kill,pause,slow,log-full,unknown-outcome")

    def shop(system: ActorSystem) -> None:
        while to_sell:
            try:
                with system.producer("shop") as producer:
                    while to_sell:
                        producer.send("orders", to_sell[0]).result()
                        sold.append(to_sell.pop(0))
            except FAILURES:
                world.sleep(0.05)

    def billing(system: ActorSystem) -> None:
        try:
            with system.consumer("billing", "billing") as consumer:
                consumer.subscribe(["orders"])
                while orders := consumer.poll(max_messages=3, timeout=60):
                    if commits_first:
                        consumer.commit()
                    world.sleep(0.02)  # writing bills takes time
                    billed.extend((order.value or b"").decode() for order in orders)
                    consumer.commit()
        except FAILURES:
            world.sleep(0.05)
            billing(system)

    world.always(lambda state: len(set(billed)) <= sum(topic.message_count for topic in state.topics.values()))
    world.eventually(lambda state: set(billed) >= set(sold), name="every order is billed")
    world.sometimes("an order was billed twice", lambda state: len(billed) > len(set(billed)))
    return world.run(lambda system, world: [world.spawn(client, system) for client in (shop, billing)])


for commits_first in (True, False):
    results = [run(seed, commits_first=commits_first) for seed in range(20)]
    lost = [result for result in results if result.failure is not None]
    twice = sum("an order was billed twice" in result.reached for result in results)
    print("commits before it bills:" if commits_first else "commits after it has billed:")
    print(f"  {sum(result.crashes for result in results)} crashes, {twice} runs in which an order was billed twice")
    for result in lost:
        print(f"  {result.failure}\n  after {', '.join(map(str, result.faults))}\n  token {result.token[:30]}...")
