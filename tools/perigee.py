"""The `perigee` command: one thin typer app; each subcommand's work is in its own module."""

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def about() -> None:
    """Perigee: a CDN that you run."""


def main() -> None:
    """Run the command line."""
    app()
