"""The one label code used inside riqa; adapters in `riqa.data` translate into it and nothing else does.

| label | code |
|---|---|
| overall quality, three classes | 0 reject, 1 usable, 2 good |
| overall quality, binary | 0 bad, 1 good |
| quality details (illumination, clarity, contrast) | 0 bad, 1 good |
| unknown | NaN |

This is the code of Telesco et al. (2025). EyeQ's own label files use the reverse for overall quality.
"""

DETAILS: tuple[str, ...] = ("illumination", "clarity", "contrast")
"""The three quality details, in the order of every array that has a details axis."""


def class_names(n_classes: int) -> tuple[str, ...]:
    """Return the names of 2 or 3 overall-quality classes, at their codes; a ValueError for another number."""
    if n_classes not in (2, 3):
        raise ValueError(f"n_classes must be 2 or 3, got {n_classes!r}")
    return ("bad", "good") if n_classes == 2 else ("reject", "usable", "good")
