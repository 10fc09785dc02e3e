import pandas as pd
import pytest

from riqa.data.cells import read_sheets
from riqa.data.sheets import decode, find_file, read_labels
from riqa.errors import InputError


def test_file_is_found_whatever_its_case_and_else_named_as_it_should_be(tmp_path):
    (tmp_path / "Labels.CSV").touch()
    assert find_file(tmp_path, "other.csv", "labels.csv") == tmp_path / "Labels.CSV"
    assert find_file(tmp_path, "other.csv") == tmp_path / "other.csv"
    assert find_file(tmp_path / "nowhere", "labels.csv") == tmp_path / "nowhere" / "labels.csv"


def test_cells_are_text_and_titles_are_stripped_even_after_a_byte_order_mark(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_bytes(b"\xef\xbb\xbfimage , grade\n007,1\nb,\n")
    table = read_labels(path, ("image", "grade"), "fix it")
    assert table["image"].tolist() == ["007", "b"]
    assert table["grade"].isna().tolist() == [False, True]


def test_one_column_is_enough_to_find_the_header(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("a title, with a comma; and more\nimage\na;b\nc\n")
    assert read_labels(path, ("image",), "fix it")["image"].tolist() == ["a;b", "c"]


def test_codes_are_translated_and_others_refused():
    images = pd.Series(["a", "b", "c"])
    values = pd.Series(["0", "2.0", None], name="grade")
    codes = decode(values, images, {0: 2, 2: 0}, "file", blank=True)
    assert codes[:2].tolist() == [2, 0]
    assert codes.isna().tolist() == [False, False, True]
    with pytest.raises(InputError, match="file: image c has grade nan; legal: 0, 2; correct it"):
        decode(values, images, {0: 2, 2: 0}, "file")
    with pytest.raises(InputError, match="image b has grade good"):
        decode(pd.Series(["0", "good", "2"], name="grade"), images, {0: 2, 2: 0}, "file", blank=True)


@pytest.mark.parametrize("name", ["labels.csv", "labels.xlsx", "labels.parquet"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe\x80 no table", b"PK\x03\x04 cut short"])
def test_files_that_are_no_tables_are_refused_in_a_line(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match="fix it") as caught:
        read_labels(path, ("image",), "fix it")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be read as an Excel file"):
        read_sheets(path, "fix it")
    path.unlink()
    with pytest.raises(InputError, match="does not exist; fix it"):
        read_labels(path, ("image",), "fix it")
