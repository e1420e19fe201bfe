"""Filling the cache: the fill table, the fill itself, and the connections upstream."""
