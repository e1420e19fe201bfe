"""How a node is filled before clients come: what `perigee warm` is made of."""
