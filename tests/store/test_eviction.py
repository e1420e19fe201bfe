"""The eviction policies: who leaves, in which order, and how much one victim may cost."""

import itertools

import pytest

from edge.store.eviction import MAX_LOOKS, Ghosts, Policy, Queue, Resident, S3Fifo, Sieve

SIZE = 1_000
CAPACITY = 128 * 1_024
"""Room for 130 residents of SIZE beside 64 ghosts; 13 of them in the small queue."""


class Shelf:
    """The least that a caller of a policy has to be: an index and a sum of bytes."""

    def __init__(self, policy: Policy, capacity: int = CAPACITY) -> None:
        self.policy = policy
        self.room = capacity - policy.fixed_bytes
        self.held: dict[bytes, Resident] = {}
        self.evicted: list[bytes] = []

    def ask(self, key: bytes, size: int = SIZE) -> bool:
        """Whether it was a hit; a miss is put."""
        if (resident := self.held.get(key)) is not None:
            resident.visited = True
            return True
        newcomer = Resident(key, size)
        self.policy.place(newcomer)
        while sum(each.size for each in self.held.values()) + size > self.room:
            victim = self.policy.victim(newcomer)
            assert self.held.pop(victim.key) is victim
            self.evicted.append(victim.key)
        self.held[key] = newcomer
        self.policy.admit(newcomer)
        return False

    def scan(self, name: str, count: int) -> None:
        for number in range(count):
            assert not self.ask(b"%s/%d" % (name.encode(), number))

    def remove(self, key: bytes) -> None:
        self.policy.remove(self.held.pop(key))


def keys(name: str, count: int) -> list[bytes]:
    return [b"%s/%d" % (name.encode(), number) for number in range(count)]


def warmed(count: int) -> Shelf:
    """A full S3-FIFO that has begun to evict, with `count` hot residents in main, each visited once when in small."""
    shelf = Shelf(S3Fifo(CAPACITY))
    shelf.scan("before", 200)
    for key in keys("hot", count):
        shelf.ask(key)
        shelf.ask(key)
    shelf.scan("between", 20)
    assert set(keys("hot", count)) <= shelf.held.keys()
    assert not any(shelf.held[key].visited for key in keys("hot", count)), "all have moved on to main"
    return shelf


def standing(queue: Queue) -> list[bytes]:
    found: list[bytes] = []
    if queue.length:
        found.append((at := queue.oldest()).key)
        while (at := queue.after(at)) is not queue.oldest():
            found.append(at.key)
    return found


def test_a_queue_keeps_the_order_of_arrival_and_the_sum_of_sizes():
    queue, residents = Queue(), [Resident(b"%d" % number, 10 + number) for number in range(4)]
    for resident in residents:
        queue.append(resident)
    assert (standing(queue), queue.bytes) == ([b"0", b"1", b"2", b"3"], 46)
    queue.remove(residents[1])
    assert (standing(queue), queue.bytes) == ([b"0", b"2", b"3"], 35)
    queue.remove(residents[0])
    queue.remove(residents[3])
    queue.append(residents[1])
    assert (standing(queue), queue.bytes, queue.length) == ([b"2", b"1"], 23, 2)


def test_a_queue_refuses_to_let_go_of_a_resident_of_another():
    mine, other, resident = Queue(), Queue(), Resident(b"a", 1)
    mine.append(resident)
    with pytest.raises(AssertionError):
        other.remove(resident)


def apart(count: int, places: int) -> list[bytes]:
    """Keys whose ghosts stand in different places of a table of `places`."""
    found: dict[int, bytes] = {}
    for number in itertools.count():
        if len(found) == count:
            return list(found.values())
        found.setdefault(hash(b"%d" % number) & (places - 1), b"%d" % number)
    raise AssertionError


@pytest.mark.parametrize(("later", "known"), [(0, True), (100, True), (101, False), (10_000, False)])
def test_a_ghost_lasts_for_a_window_of_bytes_that_leave_after_it(later, known):
    first, second = apart(2, places=16)
    ghosts = Ghosts(window=100, places=16)
    ghosts.remember(first, 7)
    ghosts.remember(second, later)
    assert ghosts.recall(first) is known


def test_an_empty_table_of_ghosts_knows_nobody_not_even_a_key_that_hashes_to_zero():
    assert hash(b"") == 0
    assert not Ghosts(window=100, places=1).recall(b"")


def test_a_ghost_answers_once():
    ghosts = Ghosts(window=100, places=8)
    ghosts.remember(b"a", 7)
    assert [ghosts.recall(b"a"), ghosts.recall(b"a")] == [True, False]


def test_a_newer_ghost_takes_the_place_of_an_older_one():
    ghosts = Ghosts(window=100, places=1)
    ghosts.remember(b"a", 7)
    ghosts.remember(b"b", 7)
    assert [ghosts.recall(b"a"), ghosts.recall(b"b")] == [False, True]


@pytest.mark.parametrize("places", [0, 3, -4])
def test_a_table_of_ghosts_is_a_power_of_two(places):
    with pytest.raises(AssertionError):
        Ghosts(window=100, places=places)


def test_s3fifo_lets_the_unvisited_leave_in_order_of_arrival():
    shelf = warmed(0)
    before = len(shelf.evicted)
    shelf.scan("scan", 60)
    came = keys("between", 20) + keys("scan", 60)
    start = came.index(shelf.evicted[before])
    assert shelf.evicted[before:] == came[start : start + 60]


def test_s3fifo_gives_nothing_of_main_to_a_scan_of_any_length():
    shelf = warmed(110)
    shelf.scan("scan", 2_000)
    assert set(keys("hot", 110)) <= shelf.held.keys()


def test_s3fifo_gives_nothing_of_main_to_a_scan_of_responses_of_mixed_sizes():
    shelf = warmed(110)
    for number in range(2_000):
        shelf.ask(b"scan/%d" % number, 100 + number * 7_919 % 12_000)
    assert set(keys("hot", 110)) <= shelf.held.keys()


def test_s3fifo_takes_one_back_into_main_that_left_too_early():
    shelf = warmed(90)
    shelf.scan("scan", 50)
    early = shelf.evicted[-1]  # the last to leave: no other ghost can have taken its place
    assert not shelf.ask(early)
    assert shelf.policy.ghost_hits == 1
    shelf.scan("more", 500)
    assert early in shelf.held, "it stands in main, where no scan comes"


def test_s3fifo_remembers_nobody_who_left_from_main():
    shelf = warmed(110)
    for key in keys("new", 40):
        shelf.ask(key)
        shelf.ask(key)
    shelf.scan("scan", 20)
    last_hot = [key for key in shelf.evicted if key.startswith(b"hot")][-1]
    shelf.ask(last_hot)
    assert shelf.policy.ghost_hits == 0


def test_s3fifo_lets_main_shrink_to_its_share_from_its_oldest_unvisited():
    shelf = warmed(110)
    for key in keys("hot", 50):
        assert shelf.ask(key)
    for key in keys("new", 40):
        shelf.ask(key)
        shelf.ask(key)
    shelf.scan("scan", 20)
    assert set(keys("hot", 50)) <= shelf.held.keys(), "visited again: once more round"
    assert set(keys("new", 40)) <= shelf.held.keys()
    assert shelf.held.keys().isdisjoint(keys("hot", 70)[50:]), "unvisited, and the oldest of these"


def test_s3fifo_that_never_was_full_keeps_the_first_nine_tenths_in_a_loop():
    shelf = Shelf(S3Fifo(CAPACITY))
    rounds = [sum(shelf.ask(key) for key in keys("loop", 400)) for _ in range(3)]
    assert rounds[0] == 0
    assert min(rounds[1:]) >= 110


def test_s3fifo_remembers_nobody_who_was_removed():
    shelf = warmed(90)
    shelf.ask(b"purged")
    shelf.remove(b"purged")
    shelf.ask(b"purged")
    assert shelf.policy.ghost_hits == 0


def test_s3fifo_evicts_from_main_when_nobody_stands_in_small():
    shelf = warmed(110)
    for key in [key for key in shelf.held if not key.startswith(b"hot")]:
        shelf.remove(key)
    shelf.ask(b"as large as the room", shelf.room)
    assert list(shelf.held) == [b"as large as the room"]


def test_sieve_passes_over_the_visited_and_leaves_them_where_they_stand():
    shelf = Shelf(Sieve(), capacity=4)
    for key in (b"a", b"b", b"c", b"d"):
        shelf.ask(key, 1)
    shelf.ask(b"a", 1)
    shelf.ask(b"c", 1)
    shelf.ask(b"e", 1)
    assert shelf.evicted == [b"b"], "the hand cleared a, and took b"
    shelf.ask(b"f", 1)
    assert shelf.evicted == [b"b", b"d"], "it went on from c, and cleared it"
    shelf.ask(b"g", 1)
    assert shelf.evicted == [b"b", b"d", b"e"]
    shelf.ask(b"h", 1)
    shelf.ask(b"i", 1)
    shelf.ask(b"j", 1)
    assert shelf.evicted == [b"b", b"d", b"e", b"f", b"g", b"h"], "newer ones come before a and c"


def test_sieve_turns_back_to_the_oldest_behind_the_newest():
    shelf = Shelf(Sieve(), capacity=2)
    shelf.ask(b"a", 1)
    shelf.ask(b"b", 1)
    shelf.ask(b"a", 1)
    shelf.ask(b"b", 1)
    shelf.ask(b"c", 1)
    assert shelf.evicted == [b"a"]


@pytest.mark.parametrize("removed", [b"c", b"a"])
def test_sieve_moves_its_hand_on_when_the_one_under_it_is_removed(removed):
    shelf = Shelf(Sieve(), capacity=3)
    for key in (b"a", b"b", b"c", b"a", b"d"):
        shelf.ask(key, 1)
    assert shelf.evicted == [b"b"], "the hand is at c"
    shelf.remove(removed)
    shelf.ask(b"e", 1)
    shelf.ask(b"f", 1)
    assert shelf.evicted == [b"b", b"d" if removed == b"c" else b"c"]


def test_sieve_starts_anew_when_the_last_resident_is_removed():
    shelf = Shelf(Sieve(), capacity=1)
    shelf.ask(b"a", 1)
    shelf.ask(b"b", 1)
    shelf.remove(b"b")
    shelf.ask(b"c", 1)
    shelf.ask(b"d", 1)
    assert shelf.evicted == [b"a", b"c"]


@pytest.mark.parametrize("build", [lambda: S3Fifo(1_000 * SIZE), Sieve])
def test_one_victim_costs_a_bounded_number_of_looks_even_if_everybody_was_visited(build):
    policy = build()
    residents = [Resident(key, SIZE) for key in keys("all", 900)]
    for resident in residents:
        policy.place(resident)
        policy.admit(resident)
        resident.visited = True
    newcomer = Resident(b"newcomer", SIZE)
    policy.place(newcomer)
    victim = policy.victim(newcomer)
    assert victim in residents
    cleared = sum(not resident.visited for resident in residents)
    assert cleared == MAX_LOOKS - 1


@pytest.mark.parametrize("build", [lambda: S3Fifo(CAPACITY), Sieve])
def test_a_victim_is_asked_for_only_where_somebody_is_in(build):
    policy, newcomer = build(), Resident(b"a", 1)
    policy.place(newcomer)
    with pytest.raises(AssertionError):
        policy.victim(newcomer)


@pytest.mark.parametrize("build", [lambda: S3Fifo(CAPACITY), Sieve])
def test_a_resized_resident_weighs_what_it_weighs(build):
    policy, resident = build(), Resident(b"a", 10)
    policy.place(resident)
    policy.admit(resident)
    queue = resident.queue
    assert queue is not None
    policy.resize(resident, 5)
    assert (resident.size, queue.bytes) == (15, 15)
    policy.remove(resident)
    assert queue.bytes == 0
