"""Run concurrent producers and consumers on one log, then again with group members that leave, stall and die.

The report has throughput and latency, and says for each invariant whether it holds.
"""

from odradek.simulation import Progress, Workload, run_workload


def main() -> None:
    """Run the workload twice: with the same seed it sends the same messages."""
    for churn in (0, 3):  # with churn, members leave, stall and die, and others replace them
        seen: list[Progress] = []
        workload = Workload(messages=6000, batch=10, producers=3, consumers=1, groups=1, members=3, churn=churn, seed=7)
        report = run_workload(workload, progress=seen.append)
        (group,) = report.groups
        print(report)
        print(f"  {report.produced.per_second:.0f} messages/s, p99 of a send {report.send_latency.p99_ms:.1f} ms")
        print(f"  {group.joined} members joined, {group.dismissed} were dismissed, {group.repeats} messages came again")
        print(f"  progress was reported {len(seen)} times, the last time with {seen[-1].consumed} messages consumed")
        for invariant in report.invariants:
            print(f"  {'holds' if invariant.holds else invariant.problem}: {invariant.name}")


if __name__ == "__main__":
    main()
