"""PURE: HTTP/1.1 bytes to values and back (RFC 9112)."""
