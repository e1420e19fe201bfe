"""Tables of rows, one file a subject."""

from tests.conformance.rows import Row
from tests.conformance.tables import (
    age,
    cache_status,
    directives,
    forwarding,
    invalidation,
    ranges,
    stale,
    targeted,
    validation,
)

ROWS: tuple[Row, ...] = (
    *targeted.ROWS,
    *age.ROWS,
    *stale.ROWS,
    *directives.ROWS,
    *validation.ROWS,
    *ranges.ROWS,
    *forwarding.ROWS,
    *invalidation.ROWS,
    *cache_status.ROWS,
)
