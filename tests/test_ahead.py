"""Work ahead: how much, in which order, and what happens when it stops."""

import threading
import time

import pytest

from riqa.ahead import work_ahead


@pytest.mark.parametrize(("threads", "ahead"), [(1, 1), (1, 5), (3, 5), (3, 2)])
def test_so_many_side_by_side_and_no_more_ahead_in_order(threads, ahead):
    lock, running, most, begun = threading.Lock(), 0, 0, 0

    def work(item):
        nonlocal running, most, begun
        with lock:
            running, begun = running + 1, begun + 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return 10 * item

    for taken, result in enumerate(work_ahead(work, range(12), threads=threads, ahead=ahead)):
        assert result == 10 * taken
        assert begun <= taken + ahead
    assert begun == 12
    assert most == min(threads, ahead)


def test_the_next_is_done_while_one_is_used():
    done = [threading.Event() for _ in range(5)]
    for item in work_ahead(lambda item: done[item].set() or item, range(5)):
        assert done[min(item + 1, 4)].wait(10)


def test_who_stops_taking_stops_the_work():
    begun = []
    results = work_ahead(begun.append, range(50), ahead=3)
    next(results)
    results.close()
    assert len(begun) <= 4


def test_an_error_comes_when_it_is_its_turn():
    results = work_ahead(lambda item: 1 // item, [1, 1, 0, 1])
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("knobs", [{"threads": 0}, {"ahead": 0}])
def test_less_than_one_is_refused(knobs):
    with pytest.raises(ValueError, match="at least 1"):
        next(work_ahead(str, [1], **knobs))
