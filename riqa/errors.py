"""The one error that a user is meant to read."""

from riqa.names import shown


class InputError(ValueError):
    """Something given by the user cannot be used.

    The message is one line that says what is wrong, in which file, and what to do about it; whatever the
    names of files in it hold, it can be printed (`riqa.names.shown`). Programming errors (a bad argument from
    code) are plain `ValueError`s instead.
    """

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))
