"""Names of files: any bytes, of which tables hold only UTF-8, and a screen still less."""

import os
import re
from pathlib import Path

_BYTES = re.compile(r"[\udc80-\udcff]")  # what Python makes of the bytes of a name that are no UTF-8
_CODES = re.compile(r"\0([89a-f][0-9a-f])")
# Codes of `to_text`, control characters, line breaks, marks that reverse what follows, halves of characters.
_UNFIT = re.compile(
    r"\0[89a-f][0-9a-f]|[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def to_text(name: str | os.PathLike) -> str:
    """Return a name as text that tables and parquet files can hold, and `to_path` turns back.

    A byte that is no UTF-8 becomes NUL, which no name holds, and two hexadecimal digits.
    """
    return _BYTES.sub(lambda byte: f"\0{ord(byte[0]) - 0xDC00:02x}", os.fspath(name))


def to_path(text: str) -> Path:
    """Return the path of a file whose name `to_text` wrote down."""
    return Path(_CODES.sub(lambda code: chr(0xDC00 + int(code[1], 16)), text))


def shown(name: object) -> str:
    """Return a name, or a sentence with names in it, as one line that can be printed and written anywhere.

    What would break or recolour the line, turn its direction, or cannot be encoded, becomes U+FFFD.
    """
    return _UNFIT.sub("\ufffd", str(name))
