"""Consecutive invoice numbers: no number is missing, and none is given twice. After the example of dcb.events.

Every decision depends on the last one. No boundary that keeps the rule lets two of them happen at the same time.
"""

from __future__ import annotations

import msgspec

from odradek_boundaries.boundary import Boundary
from odradek_boundaries.decisions import Known
from odradek_boundaries.lab import Lab, Model
from odradek_boundaries.read_sets import facts
from odradek_boundaries.workload import Draw, Workload
from odradek_events.schema.registry import event

__all__ = ["InvoiceIssued", "IssueInvoice", "model"]


@event("invoices.InvoiceIssued", tags=("invoice:{number}", "customer:{customer}"))
class InvoiceIssued(msgspec.Struct, frozen=True):
    """An invoice has this number."""

    number: int
    customer: str


class IssueInvoice(msgspec.Struct, frozen=True):
    """Issue the next invoice."""

    customer: str


def model(*, customers: int = 50, count: int = 1000) -> Model:
    """Return the model."""
    lab = Lab()

    @lab.decides(IssueInvoice, reads=lambda c: facts(InvoiceIssued))
    def issue(known: Known, c: IssueInvoice) -> InvoiceIssued:
        return InvoiceIssued(known[-1].number + 1 if known else 1, c.customer)

    @lab.draw
    def issue_invoice(r: Draw) -> IssueInvoice:
        return IssueInvoice(f"k{r.randrange(customers)}")

    @lab.always(per="invoice")
    def every_number_is_given_once(known: Known) -> bool:
        return len(known) == 1

    boundaries = (
        Boundary("all invoices"),
        Boundary("customer", by=("customer",)),
        Boundary("customer, one per transaction", by=("customer",), checks="unit"),
        Boundary("invoice, one per transaction", by=("invoice",), checks="unit"),
        Boundary("a query per decision", checks="facts"),
    )
    return Model(lab, boundaries, Workload({issue_invoice: 1.0}, count=count, per_second=150.0, service_ms=2.0))
