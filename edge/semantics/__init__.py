"""PURE: what HTTP caching means (RFC 9110, 9111); values in, values and reasons out."""
