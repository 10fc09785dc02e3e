"""At a terminal: no character in a name stops a command, bars where somebody watches, and Ctrl-C."""

import io
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from tqdm.auto import tqdm


def console() -> Console:
    """Return a console to which brackets, colons and numbers in a line are letters, not styles."""
    return Console(markup=False, emoji=False, highlight=False)


def json_text(content: object, indent: int | None = None) -> str:
    """Return JSON whose characters stdout can encode."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    return json.dumps(content, indent=indent, ensure_ascii=not encoding.startswith("utf"))


def escape_what_cannot_be_encoded() -> None:
    """Let stdout write a backslash and a code for such a character, as stderr does; it would raise."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def watched() -> bool:
    """Tell whether standard error is a terminal, or a notebook's, of which a build shows the last line."""
    return sys.stderr.isatty() or type(sys.stderr).__module__.startswith("ipykernel.")


def progress_bar(*arguments: object, shown: bool = True, **options: object) -> tqdm:
    """Return a progress bar of tqdm that shows nothing where nobody watches: it would fill a log.

    A notebook's is drawn once a second: every drawing is a message, which papermill takes time to take in.
    """
    options.setdefault("mininterval", 0.1 if sys.stderr.isatty() else 1.0)
    return tqdm(*arguments, disable=not (shown and watched()), **options)


def interrupt_when_terminated() -> None:
    """Let a plain kill (SIGTERM) do what Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def stopping(consequence: str) -> Iterator[None]:
    """Say what Ctrl-C (or a plain kill) means, and exit with 130."""
    interrupt_when_terminated()
    try:
        yield
    except KeyboardInterrupt:
        print(f"riqa: stopped. {consequence}", file=sys.stderr)
        raise SystemExit(130) from None
