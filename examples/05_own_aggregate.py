"""An aggregate of your own, a bank account: an event, a state that folds it, and an actor that decides.

`decide` returns the events that a command leads to, or raises an error, which is the reply and leaves the state
unchanged. The events are stored, then applied, and then the command is answered. When the system is opened again, the
account is rebuilt from its stream. `@aggregate` lets states of the log show accounts, without actors, at any position.
"""

import tempfile
from pathlib import Path
from typing import ClassVar

import msgspec

from odradek import ActorSystem, Aggregate, EventSourcedActor, SystemState, aggregate, event, open_log


@event("MoneyMoved", version=1, tags=("account:{account}",))
class MoneyMoved(msgspec.Struct, frozen=True):
    account: str
    cents: int  # negative: a withdrawal


@aggregate("account")
class Account(Aggregate):
    cents = 0

    def _moved(self, event: MoneyMoved) -> None:
        self.cents += event.cents

    appliers: ClassVar = {MoneyMoved: _moved}


class AccountActor(EventSourcedActor[Account]):
    def initial_state(self) -> Account:
        return Account()

    def decide(self, command: int) -> list[MoneyMoved]:
        if self.state.cents + command < 0:
            raise ValueError(f"{self.id} has {self.state.cents} cents, too few to take out {-command}")
        return [MoneyMoved(self.id, command)]

    def answer(self, query: str) -> int:
        return self.state.cents


with tempfile.TemporaryDirectory() as directory:
    path = Path(directory) / "bank.db"
    for amounts in ([1000, -300, -5000], [200]):
        with ActorSystem.open(path, actors={"account": AccountActor}) as system:
            account = system.actor("account/alice")
            print("opened with", account.query("balance").result(), "cents")
            for cents in amounts:
                try:
                    print("moved", cents, "as version", account.ask(cents).result())
                except ValueError as error:
                    print("refused:", error)
    with open_log(path, read_only=True) as log:
        for position in range(3):
            state = SystemState.replay(log, until=position)
            print(f"at position {position}: {state.aggregate('account/alice').cents} cents")
