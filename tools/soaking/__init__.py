"""What `make soak-purge` is made of: an origin that changes, readers, purgers, faults, and a checker that believes nothing."""
