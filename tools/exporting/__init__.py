"""Placement in the words of other DNS servers: zone files and maps that give the same answers."""
