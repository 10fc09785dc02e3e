"""The one error that a user is meant to read."""


class InputError(ValueError):
    """Something given by the user cannot be used.

    The message is one line that says what is wrong, in which file, and what to do about it. Programming
    errors (a bad argument from code) are plain `ValueError`s instead.
    """
