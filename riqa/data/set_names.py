"""The names of sets: those that the book knows, and what users may call their own."""

import re

MADE = ("phantom_details", "phantom_grades", "phantom_eyes", "phantom_observers")
"""Sets that the book draws; nothing has to be given for them."""

PUBLISHED = ("eyeq", "eyeq_d", "mshf", "deepdrid", "fives")
"""Sets that others have published."""

TABLE = "table"
"""A user's own set, whatever it is called, see `riqa.data.adapters.table`."""

NAMES = (*MADE, "simulated_details", *PUBLISHED, TABLE)
"""Sets that the book knows by name."""

# A name becomes part of folders, of models' file names and of queries of results.
_LEGAL = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_TAKEN = re.compile("eyeq_test|f1|any|.*_by_eye|.*(phantom|simulated).*")  # words by which chapters know sets


def name_trouble(name: object) -> str | None:
    """Say why a user's own set cannot have a name, or return None if it can."""
    if not isinstance(name, str):
        return f"a set's name is text, and {name!r} is {type(name).__name__}"
    if not _LEGAL.fullmatch(name):
        legal = "a letter, then at most 39 letters, digits and underscores, such as clinic or clinic_2025"
        return f"{name!r} cannot be the name of a set; legal: {legal}"
    if (name.casefold() in NAMES and name != TABLE) or _TAKEN.fullmatch(name.casefold()):
        return f"{name!r} cannot be the name of a set of yours, as the book uses it itself; choose another"
    return None
