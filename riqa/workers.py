"""Work side by side: in processes, of which a killed one is reported and never waited for, or in threads.

In the pools of `concurrent.futures` and joblib all workers write their results into one pipe, so that the
end of one worker does not end the pipe: killed in the middle of a result, it is waited for without end. Here
each worker has a connection of its own, which ends with it.
"""

import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from riqa.errors import InputError

Item, Result = TypeVar("Item"), TypeVar("Result")

_AHEAD = 16  # calls per worker whose results may wait for their turn: memory holds those, not all


class WorkerKilledError(InputError):
    """A worker process was killed from outside."""


def call_in_workers(
    function: Callable,
    jobs: Sequence[tuple],
    workers: int,
    context: BaseContext | None = None,
    on_news: Callable[[Any], object] | None = None,
) -> Iterator[Any]:
    """Call `function(*job)` for every job in up to `workers` processes; yield the results in order of jobs.

    Ctrl-C goes to this process alone; it ends the workers, as does whatever else stops the taking of results.
    The workers end also when this process is killed.

    `function` is a module-level function, or a partial of one. `jobs` are small; what is large should go
    through files. If no `context` is given, processes are started by the server of forks, where it runs
    already, and else spawned: a fork of this process would be unsafe beside its threads. `on_news` is called
    here with messages of running calls; each call then gets one more argument, the function that sends them.

    Raises a WorkerKilledError if a worker was killed, a RuntimeError if it ended otherwise before it
    answered, and whatever a call raised, as soon as it did, with a note that holds the worker's traceback.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if context is None:
        served = forkserver._forkserver._forkserver_pid is not None  # as in a chapter, or after a training
        context = multiprocessing.get_context("forkserver" if served else "spawn")
    processes: dict[Connection, BaseProcess] = {}
    results: dict[int, Any] = {}
    n_begun = 0
    try:
        for _ in range(min(workers, len(jobs))):
            processes.update([_start(context, function, on_news is not None)])
        idle = list(processes)
        for n in range(len(jobs)):
            while True:
                while idle and n_begun < min(len(jobs), n + _AHEAD * workers):
                    with suppress(OSError):  # if the worker has ended, _receive finds out
                        idle.pop().send((n_begun, jobs[n_begun]))
                    n_begun += 1
                if n in results:
                    break
                for connection in wait([connection for connection in processes if connection not in idle]):
                    kind, number, content = _receive(connection, processes[connection], workers)
                    if kind == "news":
                        on_news(content)
                    elif kind == "failure":
                        raise content
                    else:
                        results[number] = content
                        idle.append(connection)
            yield results.pop(n)
    finally:
        for connection, process in processes.items():
            process.kill()  # terminate could be ignored or held up by what it does
            connection.close()
        for process in processes.values():
            process.join()


def _start(context: BaseContext, function: Callable, tells: bool) -> tuple[Connection, BaseProcess]:
    """Start a worker, which Ctrl-C does not reach; return the connection to it, and its process."""
    ours, its = context.Pipe()
    process = context.Process(target=_work, args=(its, function, tells), daemon=True)
    resource_tracker.ensure_running()  # a process of multiprocessing's; started later, it would let Ctrl-C in
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # what a new process inherits
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    its.close()  # so that the connection ends when the worker does
    return ours, process


def _receive(connection: Connection, process: BaseProcess, workers: int) -> tuple:
    """Return the next message of a worker; raise if it ended in place of it, or in the middle."""
    try:
        return connection.recv()
    except (EOFError, OSError):
        process.join()
    if process.exitcode == -signal.SIGKILL:
        raise WorkerKilledError(
            "a worker process was killed, most likely because memory ran out; "
            f"run it again with fewer workers (--jobs, now {workers})"
        )
    raise RuntimeError(f"a worker process ended with exit code {process.exitcode} before it answered")


def _work(connection: Connection, function: Callable, tells: bool) -> None:
    """Do job after job, in a worker."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, ConnectionError):  # nobody asks or listens any more
        while True:
            number, job = connection.recv()
            try:
                news = (lambda told, n=number: connection.send(("news", n, told)),) if tells else ()
                answer = ("result", number, function(*job, *news))
            except Exception as error:
                error.add_note(f"raised in a worker process:\n{traceback.format_exc()}")
                answer = ("failure", number, error)
            connection.send(answer)


def _end_with_parent() -> None:
    """End this process when its parent does, however that ends; it would go on, or wait, for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)


def work_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int = 1, ahead: int = 2
) -> Iterator[Result]:
    """Apply a function to items in threads, ahead of the use of the results, which come in order.

    It gains most where the function runs outside of Python's lock, as reading, decoding and copying do.
    At most `ahead` items (at least 1) are done, or being done, and not yet used, the one used next among
    them: memory holds no more. What the function raises comes when it is its item's turn.
    """
    if threads < 1 or ahead < 1:
        raise ValueError(f"threads and ahead must be at least 1, got {threads} and {ahead}")
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ahead")
    waiting = deque()
    try:
        for item in items:
            if len(waiting) == ahead:
                yield waiting.popleft().result()
            waiting.append(pool.submit(function, item))
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
