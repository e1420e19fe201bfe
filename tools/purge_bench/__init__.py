"""What `make bench-purge` is made of."""
