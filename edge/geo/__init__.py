"""Where clients are, which POP is best for them, and how they are told: by DNS and by HTTP redirect."""
