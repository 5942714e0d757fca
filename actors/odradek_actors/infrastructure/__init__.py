"""The actors that own the log, the snapshots and the directory of streams."""
