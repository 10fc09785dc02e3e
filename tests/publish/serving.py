"""A folder served while a test runs."""

from contextlib import contextmanager
from threading import Thread

from riqa.publish.pages import server


@contextmanager
def serving(folder):
    """Serve a folder at the address that is yielded."""
    with server(folder) as opened:
        thread = Thread(target=opened.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{opened.server_address[1]}"
        finally:
            opened.shutdown()
            thread.join()
