"""The one error that a user is meant to read."""

from riqa.names import shown


class InputError(ValueError):
    """Something given by the user cannot be used.

    The message is one line: what is wrong, in which file, what to do about it. Whatever names of files in it
    hold, it can be printed. Programming errors (a bad argument from code) are plain `ValueError`s.
    """

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))


class BuildError(RuntimeError):
    """A chapter failed, or the pages could not be rendered; the message is the whole block to be read."""
