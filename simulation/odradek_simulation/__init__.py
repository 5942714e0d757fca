"""Simulations: clients that put a system to work, and checks of what it must keep.

`workload` runs producers, consumers and groups on an ActorSystem and judges what they saw. Imports actors, domain and
events, and never the face. Takes time and threads from the system's runtime.
"""
