"""Double submission: a form that is sent twice is accepted once, by its token. After the example of dcb.events.

No entity keeps this rule, and none needs to: the token is the unit.
"""

from __future__ import annotations

import msgspec

from odradek_boundaries.boundary import Boundary
from odradek_boundaries.decisions import Known
from odradek_boundaries.lab import Lab, Model
from odradek_boundaries.read_sets import facts
from odradek_boundaries.workload import Draw, Workload
from odradek_events.schema.registry import event

__all__ = ["Accepted", "Submit", "model"]


@event("submissions.Accepted", tags=("order:{order}", "token:{token}"))
class Accepted(msgspec.Struct, frozen=True):
    """A form was accepted as an order."""

    order: str
    token: str


class Submit(msgspec.Struct, frozen=True):
    """Send a form."""

    order: str
    token: str


def model(*, forms: int = 1200, count: int = 2000) -> Model:
    """Return the model. Some forms are sent several times."""
    lab = Lab()

    @lab.decides(Submit, reads=lambda c: facts(Accepted, token=c.token))
    def submit(known: Known, c: Submit) -> Accepted:
        if any(fact.token == c.token for fact in known):
            raise ValueError(f"form {c.token} was accepted already")
        return Accepted(c.order, c.token)

    @lab.draw
    def send(r: Draw) -> Submit:
        return Submit(f"o{r.getrandbits(40):x}", f"t{r.randrange(forms)}")

    @lab.always(per="token")
    def a_form_is_accepted_once(known: Known) -> bool:
        return len(known) <= 1

    boundaries = (
        Boundary("one unit"),
        Boundary("order, one per transaction", by=("order",), checks="unit"),
        Boundary("token", by=("token",)),
        Boundary("a query per decision", checks="facts"),
    )
    workload = Workload({send: 1.0}, count=count, per_second=600.0, service_ms=4.0, tries=5)
    return Model(lab, boundaries, workload)
