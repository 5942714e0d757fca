"""Call the public API ten thousand times with wrong arguments, and print the findings.

See `tests/support/misuse.py` for how the calls are generated, and for what counts as a finding. Runs with the same seed
are the same, except for the scheduling of threads.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.misuse import Misuse  # from the tests


def main() -> int:
    """Run, and return 1 if there are findings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sentences", action="store_true", help="print one refusal of each call and class")
    chosen = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        misuse = Misuse(chosen.seed)
        try:
            report = misuse.run(chosen.calls)
        finally:
            os.chdir("/")
            for finding in misuse.report.findings:
                print(finding)
    if chosen.sentences:
        for call, sentence in sorted(report.sentences.items()):
            print(f"{call}: {sentence}")
    print(f"{report} in {time.monotonic() - began:.0f} s (seed {chosen.seed})")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
