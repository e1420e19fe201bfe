"""The message bus between nodes: NATS, with its log."""
