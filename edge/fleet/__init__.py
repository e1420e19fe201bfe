"""Who is there: the nodes of the network as this one hears them, and what each of them has applied."""
