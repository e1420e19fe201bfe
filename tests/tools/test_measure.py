"""The measurements that are made by hand work, on a small scale."""

import subprocess
import sys

import pytest

from tools.measure import MB, followers, idle, table

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc"),
]


async def test_followers_are_one_request_and_get_every_byte():
    rows = dict(await followers(3, 3 * MB))
    # That there is one is held by scenarios/test_c01, with the origin in hand; on a machine that is busy with something else
    # one of three small downloads may come when the first is through, and just before it can be found.
    assert rows["requests at the origin"] in {"1", "2"}
    assert rows["and after one more download"] == rows["requests at the origin"]
    assert rows["followers"] == "3: 1 at full speed, 1 at 40 MB/s, 1 at 10 MB/s"
    assert float(rows["at its peak"].split()[0]) >= float(rows["worker's memory before"].split()[0])


async def test_idle_connections_are_counted():
    rows = dict(await idle(10, settle=0.1))
    assert rows["connections"] == "10, each after one request"
    assert rows["per connection"].endswith(" kB")


@pytest.mark.parametrize(
    "said,wrong", [(("nothing",), "invalid choice"), (("memory", "--count", "many"), "invalid int")]
)
def test_what_cannot_be_measured_is_refused(said: tuple[str, ...], wrong: str):
    command = [sys.executable, "-m", "tools.measure", *said]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert wrong in done.stderr


def test_the_command_measures_memory_under_another_allocator():
    command = [
        sys.executable,
        "-m",
        "tools.measure",
        "memory",
        "--count",
        "100",
        "--churn",
        "10",
        "--mixed",
        "10",
    ]
    done = subprocess.run(
        [*command, "--env", "PYTHONMALLOC=malloc"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "overhead of one " in done.stdout
    assert "after 100 of 1 KB" in done.stdout


def test_a_table_has_its_names_on_the_left():
    assert table([("a", "1"), ("long name", "2")]) == "a          1\nlong name  2"
