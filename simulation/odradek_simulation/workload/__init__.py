"""A workload of producers, consumers and groups, run on a system and judged.

`mix` says what is sent, `run` and `group_run` run it, `tally` counts what a consumer saw, `verdict` judges, and
`report` puts the figures together. Start reading at `run`.
"""
