"""Access logs, replayed: what `perigee replay`, `perigee replay-origin` and `make replay-tiers` are made of."""
