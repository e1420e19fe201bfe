"""Sockets: what clients and operators talk to."""
