"""Simulations: clients that put a system to work, and checks of what must hold.

`checkers` judges what clients were told, and the log. `workload` runs producers, consumers and groups on an ActorSystem
and reports what they did. Imports actors, domain and events, and never the face. Time, threads and waiting come from
the system's runtime. Start reading at `workload.run`.
"""
