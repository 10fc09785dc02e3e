"""Work side by side: results in order, never too far ahead, and whatever ends a worker is told."""

import os
import subprocess
import sys
import threading
import time
from multiprocessing import active_children, get_context

import pytest

from riqa.workers import WorkerKilledError, call_in_workers, work_ahead


def after(seconds, answer):
    """Answer after some seconds, or raise what is an error."""
    time.sleep(seconds)
    if isinstance(answer, Exception):
        raise answer
    return answer


def touch(path, seconds):
    """Leave a mark."""
    path.touch()
    time.sleep(seconds)


def large_once_there(path):
    """Wait for a file, then return more than any pipe holds."""
    while not path.exists():
        time.sleep(0.01)
    return bytes(2**26)


def count(n, tell):
    """Tell the numbers up to n, and return n."""
    for number in range(n):
        tell((n, number))
    return n


def workers_now():
    """Return the workers of this process, and not those that a library keeps since another test."""
    return [process for process in active_children() if process.daemon]


def test_results_come_in_the_order_of_the_jobs_from_no_more_workers_than_jobs():
    durations = [0.3, 0, 0, 0.1, *[0] * 60]
    jobs = [(seconds, number) for number, seconds in enumerate(durations)]
    assert list(call_in_workers(after, jobs, 2)) == list(range(64))
    assert workers_now() == []
    results = call_in_workers(after, [(0, "a")], 4)
    assert next(results) == "a"
    assert len(workers_now()) == 1
    results.close()
    assert workers_now() == []
    assert list(call_in_workers(after, [], 4)) == []


def test_what_waits_for_its_turn_is_limited(tmp_path):
    jobs = [(tmp_path / "0", 1.5), *[(tmp_path / str(number), 0) for number in range(1, 60)]]
    next(call_in_workers(touch, jobs, 2))
    assert len(list(tmp_path.iterdir())) == 32


def test_news_come_while_a_call_goes_on():
    news = []
    assert list(call_in_workers(count, [(3,), (2,)], 2, on_news=news.append)) == [3, 2]
    assert sorted(news) == [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]
    assert [number for n, number in news if n == 3] == [0, 1, 2]


def test_a_worker_killed_while_it_hands_over_is_told(tmp_path):
    (tmp_path / "first").touch()
    results = call_in_workers(large_once_there, [(tmp_path / "first",), (tmp_path / "second",)], 2)
    assert len(next(results)) == 2**26
    (tmp_path / "second").touch()
    time.sleep(1)  # the second now waits, in the middle of its answer, for somebody to take the rest
    for worker in workers_now():
        worker.kill()
    with pytest.raises(WorkerKilledError, match=r"memory ran out; .* fewer workers \(--jobs, now 2\)$"):
        next(results)
    assert workers_now() == []


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_worker_killed_at_work_is_told_though_another_goes_on(method):
    results = call_in_workers(after, [(0, "a"), (60, "b"), (60, "c")], 2, get_context(method))
    next(results)
    workers_now()[0].kill()
    began = time.monotonic()
    with pytest.raises(WorkerKilledError):
        next(results)
    assert time.monotonic() - began < 30


def test_a_failure_is_raised_at_once_and_says_where():
    began = time.monotonic()
    with pytest.raises(LookupError, match="nothing there") as caught:
        list(call_in_workers(after, [(60, "a"), (0, LookupError("nothing there"))], 2))
    assert time.monotonic() - began < 30
    assert "in after" in caught.value.__notes__[0]
    assert workers_now() == []


@pytest.mark.parametrize(("function", "job", "code"), [(os._exit, (3,), 3), (threading.Lock, (), 1)])
def test_a_worker_that_ends_or_cannot_answer_is_told(function, job, code):
    with pytest.raises(RuntimeError, match=f"ended with exit code {code} before it answered"):
        list(call_in_workers(function, [job], 2))


def test_ctrl_c_is_not_for_the_workers():
    code = (
        "import signal; from riqa.workers import call_in_workers as call\n"
        "for held in call(signal.pthread_sigmask, [(signal.SIG_BLOCK, ())] * 2, 2): print(list(held))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split("\n")[:2] == ["[<Signals.SIGINT: 2>]"] * 2


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


def test_the_next_is_done_while_one_is_used_and_who_stops_taking_stops_the_work():
    done = [threading.Event() for _ in range(50)]
    results = work_ahead(lambda item: done[item].set() or item, range(50))
    for item in (next(results) for _ in range(5)):
        assert done[item + 1].wait(10)
    results.close()
    assert sum(event.is_set() for event in done) <= 7


def test_an_error_comes_when_it_is_its_turn():
    results = work_ahead(lambda item: 1 // item, [1, 1, 0, 1])
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_less_than_one_at_a_time_is_refused():
    for results in (
        work_ahead(str, [1], threads=0),
        work_ahead(str, [1], ahead=0),
        call_in_workers(str, [(1,)], 0),
    ):
        with pytest.raises(ValueError, match="at least 1"):
            next(results)
