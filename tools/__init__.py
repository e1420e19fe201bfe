"""The perigee command and its subcommands."""
