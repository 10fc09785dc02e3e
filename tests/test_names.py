"""Names of files may be any bytes: tables hold them, a line shows them; and the names of labels."""

import os
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riqa.errors import InputError
from riqa.labels import DETAILS, class_names
from riqa.names import shown, to_path, to_text

NAME = st.binary(min_size=1, max_size=20).map(lambda name: name.replace(b"\0", b"x").replace(b"/", b"y"))


@given(NAME)
def test_every_name_comes_back_from_text_and_is_shown_in_one_line(name):
    path = Path(os.fsdecode(b"a/" + name + b"z"))
    text = to_text(path)
    text.encode("utf-8")
    assert os.fsencode(to_path(text)) == os.fsencode(path)
    for line in (shown(path), shown(text)):
        line.encode("utf-8")
        assert line.splitlines() == [line]
        assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in line)


def test_ordinary_names_are_shown_as_they_are():
    for name in ("photographs/12 left.jpg", "Müller[red] :eye:.tif", "眼底.png", "\U0001f441.jpg"):
        assert shown(name) == to_text(name) == name


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (b"M\xfcller.jpg", "M\ufffdller.jpg"),
        (b"a\nb\x1b[31m.jpg", "a\ufffdb\ufffd[31m.jpg"),
        ("a\u202egpj.exe".encode(), "a\ufffdgpj.exe"),
        ("a\u0085b\u2028c".encode(), "a\ufffdb\ufffdc"),
    ],
)
def test_what_cannot_be_shown_is_replaced_and_passes_parquet(tmp_path, name, line):
    name = os.fsdecode(name)
    assert shown(Path(name)) == shown(to_text(name)) == line
    assert str(InputError(f"{name} does not exist")) == f"{line} does not exist"
    pd.DataFrame({"path": [to_text(name)]}).to_parquet(tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet")["path"].tolist() == [to_text(name)]


def test_position_of_a_class_name_is_its_code_and_the_order_of_details_the_papers():
    assert (class_names(3), class_names(2)) == (("reject", "usable", "good"), ("bad", "good"))
    assert DETAILS == ("illumination", "clarity", "contrast")
    with pytest.raises(ValueError, match="4"):
        class_names(4)
