"""How a group's partitions are assigned to its members."""
