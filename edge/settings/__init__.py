"""Typed settings with units and bounds, and the TOML files that they come from."""
