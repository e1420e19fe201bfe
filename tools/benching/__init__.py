"""The parts of `make bench` (tools/bench.py): an origin, the contenders, the load, the workloads, the report."""
