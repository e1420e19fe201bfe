"""Purging: signed orders in a durable log, applied by every node, never undone."""
