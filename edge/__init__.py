"""The edge: an HTTP cache close to its users, and the floor that everything stands on."""
