"""Opt-in tokens: a sign-up is confirmed with the token that was sent, once. After the example of dcb.events."""

from __future__ import annotations

import msgspec

from odradek_boundaries.boundary import Boundary
from odradek_boundaries.decisions import Known
from odradek_boundaries.lab import Lab, Model
from odradek_boundaries.read_sets import facts
from odradek_boundaries.workload import Draw, Workload
from odradek_events.schema.registry import event

__all__ = ["Confirm", "SignUp", "SignUpConfirmed", "SignUpStarted", "model"]


@event("opt_in.SignUpStarted", tags=("address:{address}", "token:{token}"))
class SignUpStarted(msgspec.Struct, frozen=True):
    """A token was sent to an address."""

    address: str
    token: str


@event("opt_in.SignUpConfirmed", tags=("address:{address}", "token:{token}"))
class SignUpConfirmed(msgspec.Struct, frozen=True):
    """The owner of an address sent the token back."""

    address: str
    token: str


class SignUp(msgspec.Struct, frozen=True):
    """Send a token to an address that is not confirmed yet."""

    address: str
    token: str


class Confirm(msgspec.Struct, frozen=True):
    """Confirm the address that a token was sent to."""

    token: str


def model(*, tokens: int = 1000, addresses: int = 800, count: int = 2000) -> Model:
    """Return the model."""
    lab = Lab()

    @lab.decides(
        SignUp,
        reads=lambda c: facts(SignUpConfirmed, address=c.address) | facts(SignUpStarted, token=c.token),
    )
    def sign_up(known: Known, c: SignUp) -> SignUpStarted:
        if any(isinstance(fact, SignUpConfirmed) and fact.address == c.address for fact in known):
            raise ValueError(f"{c.address} is confirmed already")
        if any(isinstance(fact, SignUpStarted) and fact.token == c.token for fact in known):
            raise ValueError(f"token {c.token} was sent already")
        return SignUpStarted(c.address, c.token)

    @lab.decides(Confirm, reads=lambda c: facts(SignUpStarted, SignUpConfirmed, token=c.token))
    def confirm(known: Known, c: Confirm) -> SignUpConfirmed:
        started = [fact for fact in known if isinstance(fact, SignUpStarted) and fact.token == c.token]
        if not started or any(isinstance(fact, SignUpConfirmed) and fact.token == c.token for fact in known):
            raise ValueError(f"token {c.token} is not valid")
        return SignUpConfirmed(started[0].address, c.token)

    @lab.draw
    def start(r: Draw) -> SignUp:
        return SignUp(f"{r.randrange(addresses)}@example.org", f"t{r.randrange(tokens)}")

    @lab.draw
    def send_back(r: Draw) -> Confirm:
        return Confirm(f"t{r.randrange(tokens)}")

    @lab.always(per="token")
    def a_token_confirms_once(known: Known) -> bool:
        return sum(isinstance(fact, SignUpConfirmed) for fact in known) <= 1

    boundaries = (
        Boundary("one unit"),
        Boundary("address", by=("address",)),
        Boundary("address, one per transaction", by=("address",), checks="unit"),
        Boundary("token", by=("token",)),
        Boundary("a query per decision", checks="facts"),
    )
    workload = Workload({start: 50.0, send_back: 50.0}, count=count, per_second=500.0, service_ms=2.0)
    return Model(lab, boundaries, workload)
