"""Chapters forked from one process that has imported their libraries: most of what starting one costs.

    python -m riqa.publish.forks serve COMMAND ...    run a command (Snakemake), and fork for it meanwhile
    python -m riqa.publish.forks chapter RUN ...      run a chapter, in a fork where one is served

The process that serves holds libraries and nothing of riqa, whose files may change during a build: a fork
imports those anew. It has one thread (and jemalloc's, which knows forks), so its forks are safe. Where none
serves, as on a cluster, a chapter is run by the process that was asked.
"""

import ast
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import forkserver
from multiprocessing.connection import arbitrary_address
from pathlib import Path

VARIABLE = "RIQA_FORKS"  # names the socket on which forks are asked for
ALWAYS = ("tqdm.auto", "papermill", "ipykernel.kernelapp", "matplotlib")  # tqdm warns if it comes later
# Of a user's own: startup files and warnings; optimised Python would leave the assertions out.
TAKEN_OUT = ("PYTHONSTARTUP", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "JUPYTER_DEFAULT_PROVISIONER_NAME")
LOOK_EVERY = 0.1  # seconds between two looks at whether the command has ended


def fixed_variables() -> dict[str, str]:
    """Return what is the same for every kernel: one thread per process, plain figures, no random hashes.

    Results then do not depend on the number of cores, or on a user's settings.
    """
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    matplotlib = find_spec("matplotlib").submodule_search_locations[0]
    return dict.fromkeys(threads, "1") | {
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(Path(matplotlib, "mpl-data", "matplotlibrc")),
    }


def served(command: Sequence[str], folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command that serves another, where forks are safe, and the variables that it needs.

    Its socket lies in `folder`, whose name must be short (see `riqa.temporary`).
    """
    if not sys.platform.startswith("linux"):
        return list(command), {}
    variables = fixed_variables() | {VARIABLE: str(folder / f"forks-{os.getpid()}")}
    return [sys.executable, "-m", "riqa.publish.forks", "serve", *command], variables


def libraries(files: Sequence[str]) -> Iterator[str]:
    """Name what modules and notebooks import at their top level, except of riqa."""
    for file in files:
        sources = [Path(file).read_text()] if file.endswith(".py") else []
        if file.endswith(".ipynb"):
            cells = json.loads(Path(file).read_text())["cells"]
            sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        for source in sources:
            with suppress(SyntaxError):  # a magic, or a slip that the chapter will tell of
                for node in ast.parse(source).body:
                    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                    names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
                    yield from (name for name in names if name.split(".")[0] != "riqa")


def serve(command: Sequence[str]) -> int:
    """Run a command, fork for every chapter that it asks for meanwhile, and return its exit status."""
    Path(os.environ[VARIABLE]).unlink(missing_ok=True)  # of an earlier build by the same process
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.environ[VARIABLE])
        listener.listen()
        listener.settimeout(LOOK_EVERY)
        child, forked = subprocess.Popen(command), []
        while child.poll() is None:
            forked = [pid for pid in forked if os.waitpid(pid, os.WNOHANG) == (0, 0)]
            with suppress(TimeoutError):
                forked += _answer(listener)
    return child.returncode


def _answer(listener: socket.socket) -> list[int]:
    """Take one request, fork for it, and return the new process's number; nothing if who asked is gone."""
    connection, _ = listener.accept()
    connection.setblocking(True)
    _, streams, _, _ = socket.recv_fds(connection, 1, 2)
    with connection.makefile() as stream:
        told = stream.readline()
    forked = []
    if told.endswith("\n"):
        arguments, variables = json.loads(told)
        files = arguments[arguments.index("--inputs") + 1 :] if "--inputs" in arguments else []
        for name in dict.fromkeys([*ALWAYS, *libraries(files)]):
            with suppress(Exception):  # the chapter will tell of it
                import_module(name)
        forked.append(os.fork())
        if not forked[0]:
            listener.close()
            _become_chapter(connection, streams, arguments, variables)
    connection.close()
    for stream in streams:
        os.close(stream)
    return forked


def _become_chapter(
    connection: socket.socket, streams: list[int], arguments: list[str], variables: dict[str, str]
) -> None:
    """Run a chapter in a new fork, in place of the process that asks for it; never returns."""
    status = 1
    try:
        for number, stream in enumerate(streams, start=1):
            os.dup2(stream, number)
        os.environ.clear()
        os.environ.update(variables)
        from riqa.publish.run import main

        status = main(arguments)
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        with suppress(OSError):
            connection.sendall(str(status).encode())
        os._exit(status)


def ask(arguments: Sequence[str]) -> int:
    """Run a chapter in a fork that is asked for, or here where none is served; return its exit status."""
    if VARIABLE not in os.environ:
        from riqa.publish.run import main

        return main(list(arguments))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ[VARIABLE])
        socket.send_fds(connection, [b"f"], [1, 2])
        needed = f"{os.environ.get('RIQA_BUILD_PID', '')} {os.getpid()}"  # the fork ends with this process
        connection.sendall(json.dumps([arguments, os.environ | {"RIQA_BUILD_PID": needed}]).encode() + b"\n")
        status = connection.recv(16)
    return int(status) if status else 1  # it was killed


class ForkedKernel:
    """A fork of this process that waits for the command of a kernel; for jupyter_client, a process of Popen.

    Make it before there is another thread, or a message to lose.
    """

    stdin = stdout = stderr = None

    def __init__(self) -> None:
        waits, self._tell = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self._tell)
            _become_kernel(waits)
        os.close(waits)
        self.returncode: int | None = None

    def start(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        """Let it become the kernel."""
        with os.fdopen(self._tell, "w") as stream:
            json.dump([list(command), dict(variables)], stream)

    def wait(self, timeout: float | None = None, flags: int = 0) -> int | None:
        """Wait for its end, and return its exit status."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, flags)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def poll(self) -> int | None:
        """Return its exit status, or nothing while it runs."""
        return self.wait(flags=os.WNOHANG)

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def _become_kernel(waits: int) -> None:
    """Wait for the command of a kernel, and be it; never returns."""
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with os.fdopen(waits) as stream:
            told = stream.read()
        if told:  # else the chapter ended before it needed a kernel
            command, variables = json.loads(told)
            os.environ.update(variables)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            _fork_server_of_workers()
            from ipykernel.kernelapp import launch_new_instance

            given = command[command.index("-f") :]
            launch_new_instance(argv=[*given, f"--IPKernelApp.parent_handle={os.getppid()}"])
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _fork_server_of_workers() -> None:
    """Fork, while there is one thread, the process that `multiprocessing` asks for workers.

    One that it starts itself, by `ForkServer.ensure_running`, imports all libraries again.
    """
    address, (alive, held) = arbitrary_address("AF_UNIX"), os.pipe()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        pid = os.fork()
        if not pid:
            os.close(held)  # only while the kernel holds it is there somebody to fork for
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # workers inherit it
            try:
                forkserver.main(listener.fileno(), alive, [])
            finally:
                os._exit(0)
    os.close(alive)
    server = forkserver._forkserver
    server._forkserver_address, server._forkserver_alive_fd, server._forkserver_pid = address, held, pid


if __name__ == "__main__":
    task, *rest = sys.argv[1:]
    sys.exit(serve(rest) if task == "serve" else ask(rest))
