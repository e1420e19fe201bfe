"""The program of a worker that spares the origins: `python -m origin_shield.worker DESCRIPTOR INDEX/COUNT`.

edge.server.worker_main with the ways out of origin_shield.outward.
"""

from __future__ import annotations

from edge.server.worker_main import main
from origin_shield.outward import Shielded

if __name__ == "__main__":
    main(Shielded)
