"""The authoritative DNS server: messages, zones, answers (pure), and the sockets they go through."""
