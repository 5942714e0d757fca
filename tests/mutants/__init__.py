"""Mutants: our actors with planted bugs, which simulated worlds must find.

    topics, producers, consumers, groups     subclasses of our actors, each with one bug
    worlds          small worlds for bugs that the workload of chaos hides
    catalogue       each mutant with its world, its faults, a seed that finds it, and its budget

Most bugs are those of other systems. A mutant is bound by the option `actors` of a world; nothing is patched.
"""
