"""The cells of one origin."""

from edge.fill.tally import Tally
from edge.measures import Measures


def test_statuses_and_error_types_share_a_metric():
    measures = Measures()
    tally = Tally(measures, "shop.test:80")
    tally.outcome(2).value += 1
    tally.outcome(2).value += 1
    tally.outcome("dns_error").value += 1
    cells = measures.registry.snapshot()["perigee_upstream_requests_total"]["cells"]
    assert {tuple(cell["values"]): cell["value"] for cell in cells} == {
        ("shop.test:80", "2xx"): 2,
        ("shop.test:80", "dns_error"): 1,
    }
