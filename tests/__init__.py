"""Tests: one file for each file of the house, and scenarios across them."""
