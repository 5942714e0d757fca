"""Models that are ready to be studied. Each module has a function `model`, whose parameters set sizes and skew.

    kafka                           topics, partitions and groups, with the rules of Odradek's domain
    bank  shop                      transfers between accounts; orders, stock and payments
    smallbank                       a benchmark of snapshot isolation
    courses  usernames  invoices  prices  opt_in  submissions
                                    after the examples of dcb.events
    loading                         finds a model by its name, or in a module of your own

Imports the rest of the lab and the domain. Start reading at `courses`, the shortest that has all parts.
"""

from odradek_boundaries.models.loading import load_model, shipped

__all__ = ["load_model", "shipped"]
