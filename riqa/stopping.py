"""What Ctrl-C means to a command."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def stopping(consequence: str) -> Iterator[None]:
    """Say what Ctrl-C (or a plain kill) means, and exit with 130."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        print(f"riqa: stopped. {consequence}", file=sys.stderr)
        raise typer.Exit(130) from None
