"""The shield tier: the same node with another upstream, in front of the origins."""
