"""Simulations: clients that put a system to work, and checks of what must hold afterwards.

`workload` runs producers, consumers and groups on an ActorSystem and judges what they saw. Imports actors, domain and
events, and never the face. Time, threads and waiting come from the system's runtime. Start reading at `workload.run`.
"""
