"""The pool: what stands where, and what a request of an earlier step was shown."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfinstruct.filters.verdicts import FilterSettings
from selfinstruct.pool.pool import Pool, Snapshot
from selfinstruct.records import Instance, Neighbor, SeedTask, Task

NOUNS = ("rivers", "moons", "spices", "tools", "birds", "ports", "poems", "coins", "trees", "games")


def seed(n):
    return SeedTask(f"s{n}", f"seed {n}", f"Name {n} {NOUNS[n % 10]} of old.", (Instance("", "x"),), False)


def task(n):
    return Task(n, f"t{n}", f"Compare {n} {NOUNS[n % 10]} with care.", n // 8, f"r{n}")


def pool_of(n_seeds, n_tasks):
    pool = Pool([seed(n) for n in range(n_seeds)], FilterSettings())
    for n in range(n_tasks):
        pool.admit(task(n))
    return pool


def count(shown):
    """How many of the texts shown are seeds, and how many tasks."""
    seeds = sum(text.startswith("Name ") for text in shown)
    return seeds, len(shown) - seeds


def test_six_seeds_and_two_tasks_are_shown():
    shown = Snapshot(pool_of(20, 30), 30).demonstrations(random.Random(1), 6, 2)
    assert count(shown) == (6, 2)
    assert len(set(shown)) == 8


@pytest.mark.parametrize(("n_tasks", "expected"), [(0, (8, 0)), (1, (7, 1)), (2, (6, 2))])
def test_seeds_fill_the_gap_while_there_are_few_tasks(n_tasks, expected):
    shown = Snapshot(pool_of(20, 30), n_tasks).demonstrations(random.Random(1), 6, 2)
    assert count(shown) == expected


@pytest.mark.parametrize(
    ("n_seeds", "n_tasks", "expected"), [(3, 0, (3, 0)), (3, 9, (3, 2)), (7, 1, (7, 1)), (1, 1, (1, 1))]
)
def test_fewer_are_shown_where_there_are_not_enough_seeds(n_seeds, n_tasks, expected):
    shown = Snapshot(pool_of(n_seeds, n_tasks), n_tasks).demonstrations(random.Random(1), 6, 2)
    assert count(shown) == expected


def test_the_same_random_numbers_show_the_same_tasks_in_the_same_order():
    snapshot = Snapshot(pool_of(20, 30), 30)
    shown = [snapshot.demonstrations(random.Random(f"7/{step}"), 6, 2) for step in (3, 3, 4)]
    assert shown[0] == shown[1]
    assert shown[0] != shown[2]


def test_tasks_admitted_later_change_nothing_for_an_earlier_snapshot():
    pool = pool_of(20, 10)
    before = Snapshot(pool, 10).demonstrations(random.Random(5), 6, 2)
    for n in range(10, 40):
        pool.admit(task(n))
    assert Snapshot(pool, 10).demonstrations(random.Random(5), 6, 2) == before


def test_seeds_and_tasks_are_shown_in_mixed_order():
    snapshot = Snapshot(pool_of(20, 30), 30)
    orders = {
        tuple(text.startswith("Name ") for text in snapshot.demonstrations(random.Random(n), 6, 2)) for n in range(30)
    }
    assert len(orders) > 5


@given(
    n_seeds=st.integers(0, 12), n_tasks=st.integers(0, 12), later=st.integers(0, 12), want_s=st.integers(0, 8),
    want_g=st.integers(0, 4), number=st.integers(),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_only_what_the_snapshot_holds_is_shown_and_nothing_twice(*, n_seeds, n_tasks, later, want_s, want_g, number):
    pool = pool_of(n_seeds, n_tasks + later)
    shown = Snapshot(pool, n_tasks).demonstrations(random.Random(number), want_s, want_g)
    known = {seed(n).instruction for n in range(n_seeds)} | {task(n).instruction for n in range(n_tasks)}
    assert set(shown) <= known
    assert len(set(shown)) == len(shown)
    seeds, tasks = count(shown)
    assert tasks == min(want_g, n_tasks)
    assert seeds == min(want_s + want_g - tasks, n_seeds)


def test_the_index_holds_the_seeds_first_and_then_the_tasks():
    pool = pool_of(3, 2)
    assert len(pool.index) == 5
    assert [pool.known(n).id for n in range(5)] == ["s0", "s1", "s2", "t0", "t1"]
    assert pool.index.nearest(task(1).instruction) == Neighbor(4, 1.0)
    assert pool.index.nearest(seed(2).instruction) == Neighbor(2, 1.0)


@pytest.mark.parametrize("position", [0, 1, 3])
def test_a_task_must_be_the_next_in_order(position):
    pool = pool_of(1, 2)
    with pytest.raises(ValueError, match=f"task {position} cannot follow 2 tasks"):
        pool.admit(task(position))
    assert len(pool.tasks) == 2
    assert len(pool.index) == 3
