"""How long the small things take, against a loop of plain Python on the same machine: `python -m tests.benchmarks`."""
