"""A small web server for a built book, on this machine only."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from rich.console import Console

from riqa.errors import InputError
from riqa.publish.layout import Build


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each request."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Open a server on a folder.

    Raises:
        InputError: If the port is taken.
    """
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=str(folder)))
    except OSError as error:
        raise InputError(f"port {port} cannot be used ({error.strerror}); give another by --port") from None


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[str]:
    """Serve a folder while a ``with`` block runs.

    Args:
        folder: The folder.
        port: The port; 0 takes a free one.

    Yields:
        The address, ``http://127.0.0.1:PORT``.
    """
    with _server(folder, port) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def serve_book(build: Build, port: int, console: Console) -> None:
    """Serve a built book until Ctrl-C.

    Raises:
        InputError: If the profile has no built book, or the port is taken.
    """
    if not (build.html / "index.html").is_file():
        raise InputError(
            f"profile {build.profile} has no book yet; run make book PROFILE={build.profile} first"
        )
    with _server(build.html, port) as server:
        console.print(
            f"The book is at http://localhost:{server.server_address[1]} until Ctrl-C", highlight=False
        )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.print("stopped")
