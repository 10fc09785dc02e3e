"""A small web server for a built book, for this machine only."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rich.console import Console

from riqa.errors import InputError
from riqa.publish.layout import Build


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each request."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """Open a server on a folder; port 0 takes a free one.

    Raises:
        InputError: If the port is taken.
    """
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=str(folder)))
    except OSError as error:
        raise InputError(f"port {port} cannot be used ({error.strerror}); give another by --port") from None


def serve_book(build: Build, port: int, console: Console) -> None:
    """Serve a built book until Ctrl-C.

    Raises:
        InputError: If the profile has no built book, or the port is taken.
    """
    if not (build.html / "index.html").is_file():
        told = f"profile {build.profile} has no book yet"
        raise InputError(f"{told}; run make book PROFILE={build.profile} first")
    with server(build.html, port) as opened:
        address = f"http://localhost:{opened.server_address[1]}"
        console.print(f"The book is at {address} until Ctrl-C", highlight=False)
        try:
            opened.serve_forever()
        except KeyboardInterrupt:
            console.print("stopped")
