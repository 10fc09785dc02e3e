"""What tests of label files expect: a refusal in one line, a finding by its code, the real files."""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

from riqa.errors import InputError

REAL = Path(os.environ.get("RIQA_DATA", ""))
needs_data = pytest.mark.skipif(
    "RIQA_DATA" not in os.environ, reason="RIQA_DATA names no folder of real data"
)


@contextmanager
def refused(*parts):
    """Expect an `InputError` whose message is one line and holds all parts."""
    with pytest.raises(InputError) as caught:
        yield
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def finding(catalogue, code):
    """Return the finding of a code, or None."""
    return next((found for found in catalogue.findings if found.code == code), None)


def items(catalogue, code):
    """Return what the finding of a code is about; () without such a finding."""
    found = finding(catalogue, code)
    return found.items if found else ()


def rows_of(dataset):
    """Return its manifest by image."""
    return dataset.manifest.set_index("image_id")
