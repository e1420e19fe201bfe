"""Conformance: the public suite http-cache-tests against a default edge, and our own tables beyond it."""
