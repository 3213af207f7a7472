"""The clock of the embedded stores under steps of the wall, restarts and orders (invariants E1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.stores.clock import PARTED_US
from remit.testing import FakeClock
from tests.ledger.desk import DAY_US, SECOND_US

moves = st.lists(st.tuples(st.sampled_from(["advance", "step", "look"]), st.integers(0, 3 * DAY_US)), max_size=40)


# E1
@given(moves)
def test_the_stores_time_is_the_time_that_passed_whatever_the_wall_says(steps: list[tuple[str, int]]) -> None:
    fake = FakeClock()
    clock, started_us, passed_us = fake.anchored(), fake.wall(), 0
    for what, by_us in steps:
        if what == "advance":
            fake.advance(by_us)
            passed_us += by_us
        elif what == "step":
            fake.step_wall(by_us - DAY_US)
        assert clock.now_us() == started_us + passed_us


# E1
@pytest.mark.parametrize(
    ("step_us", "parted"), [(PARTED_US, False), (PARTED_US + 1, True), (-PARTED_US, False), (-PARTED_US - 1, True)]
)
def test_clocks_that_part_by_more_than_a_second_are_reported_until_they_agree(step_us: int, parted: bool) -> None:
    fake = FakeClock()
    clock = fake.anchored()
    fake.step_wall(step_us)
    assert clock.parted_us() == (step_us if parted else 0)
    fake.advance(DAY_US)
    assert clock.parted_us() == (step_us if parted else 0)
    fake.step_wall(-step_us)
    assert clock.parted_us() == 0


# E1
@given(step_us=st.integers(-9 * DAY_US, 9 * DAY_US), wait_us=st.integers(0, DAY_US))
def test_an_accepted_time_is_the_walls_from_then_on(step_us: int, wait_us: int) -> None:
    fake = FakeClock()
    clock = fake.anchored()
    before_us = clock.now_us()
    fake.step_wall(step_us)
    assert clock.accept() == step_us
    assert clock.parted_us() == 0
    fake.advance(wait_us)
    assert clock.now_us() == before_us + step_us + wait_us == fake.wall()


# E1
def test_a_store_that_remembers_a_later_time_goes_on_from_there_and_doubts_the_wall() -> None:
    fake = FakeClock()
    last_us = fake.wall() + DAY_US
    fake.reboot()
    clock = fake.anchored(remembered_us=last_us)
    assert clock.now_us() == last_us
    assert clock.parted_us() == -DAY_US
    fake.advance(SECOND_US)
    assert clock.now_us() == last_us + SECOND_US
    fake.step_wall(DAY_US)
    assert clock.parted_us() == 0


def test_time_on_a_fake_clock_passes_forwards_only() -> None:
    with pytest.raises(ValueError, match="step_wall"):
        FakeClock().advance(-1)
