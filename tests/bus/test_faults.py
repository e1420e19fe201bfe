"""What goes wrong with the bus is a 503 for whoever asked."""

import pytest

from edge.bus.faults import ApiFault, BusFault, BusLost, BusSilent, NobodyThere
from edge.errors import EdgeError


@pytest.mark.parametrize(
    "fault", [BusLost("x"), BusSilent("x"), NobodyThere("x"), ApiFault("x", code=404, err_code=1)]
)
def test_every_fault_of_the_bus_is_a_503(fault: BusFault):
    assert isinstance(fault, EdgeError)
    assert (fault.status, fault.detail) == (503, "x")


def test_what_jetstream_said_is_kept():
    fault = ApiFault("no", code=404, err_code=10059)
    assert (fault.code, fault.err_code) == (404, 10059)
