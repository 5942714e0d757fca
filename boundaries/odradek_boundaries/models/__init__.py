"""Models that are ready to be studied; each module has a function `model` that returns one.

`kafka` is Odradek's own: topics, partitions and groups, with the rules of the domain. Imports the rest of the lab and
the domain. Start reading at `kafka`.
"""
