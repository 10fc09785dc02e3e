"""Progress bars: shown where somebody watches, silent in a log, which they would fill."""

import sys

from tqdm.auto import tqdm


def watched() -> bool:
    """Tell whether standard error is a terminal, or a notebook's, of which a build shows the last line."""
    return sys.stderr.isatty() or type(sys.stderr).__module__.startswith("ipykernel.")


def progress_bar(*arguments: object, shown: bool = True, **options: object) -> tqdm:
    """Return a progress bar of tqdm that shows nothing where nobody watches."""
    return tqdm(*arguments, disable=not (shown and watched()), **options)
