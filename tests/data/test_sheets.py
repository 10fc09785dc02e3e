"""Label files as programs write them: the same table in every dress, or a line that names what is wrong."""

import datetime
import decimal

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riqa.data.sheets import decode, find_file, read_labels, read_sheets
from tests.data.expect import refused

NEEDED = ("file", "patient", "grade")
HEADER = "file,patient,grade"
ROWS = ["müller 1.jpg,001,usable", "002.jpg,002,reject", "003.jpg,002,"]
PLAIN = "\n".join([HEADER, *ROWS]) + "\n"
OTHER_COLUMNS = """\
note,file,patient,note,grade
,müller 1.jpg,001,;;;;,usable
,002.jpg,002,|,reject
,003.jpg,002
"""
WANTED = [["müller 1.jpg", "001", "usable"], ["002.jpg", "002", "reject"], ["003.jpg", "002", None]]


def cells_of(path, needed=NEEDED):
    table = read_labels(path, needed, "fix it")[list(needed)]
    return table.astype(object).where(table.notna(), None).to_numpy().tolist()


def write(folder, content, encoding="utf-8", name="labels.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def assert_refused(path, *parts):
    with refused(str(path), *parts):
        read_labels(path, NEEDED, "fix it")


def separated(mark):
    return PLAIN.replace(",", mark)


DRESSES = {
    "plain": PLAIN,
    # BodenmillerGroup/steinbock#28, langgenius/dify#42354: Excel's separator where commas are decimal
    "semicolons": separated(";"),
    "tabs": separated("\t"),
    "bars": separated("|"),
    "line that names the separator": "sep=,\n" + PLAIN,
    "that line in quotation marks": '"sep=;"\n' + separated(";"),
    "that line naming tabs": "sep=\t\r\n" + separated("\t"),
    # pandas-dev/pandas#14124, #9295: rows with a separator more than the header
    "separator too many in rows": "\n".join([HEADER, *(row + "," for row in ROWS)]),
    "separators too many in lines": "\n".join(line + ",," for line in [HEADER, *ROWS]),
    # bardsoftware/ganttproject#1634: rows of separators alone
    "empty rows": "\n".join([HEADER, ROWS[0], "", ",,", *ROWS[1:], ",,", " , , ", ""]),
    "empty rows above": "\n\n" + PLAIN,
    "titles above": "Grades of our clinic\nmade by A, B and C\n\n" + PLAIN,
    "short row": PLAIN.replace("002,\n", "002\n"),
    "blanks around cells": PLAIN.replace(",", " , "),
    "blanks around titles": PLAIN.replace("file,patient", '"\xa0file ","patient "'),
    "Windows' line ends": PLAIN.replace("\n", "\r\n"),
    "old Macs' line ends": PLAIN.replace("\n", "\r"),
    "MS-DOS's end": PLAIN + "\x1a",
    "NA": PLAIN.replace("002,\n", "002,NA\n"),
    "other separators above": "a;b|c\n" + PLAIN,
    "other columns": OTHER_COLUMNS,
}


@pytest.mark.parametrize("text", DRESSES.values(), ids=DRESSES)
def test_every_dress_of_a_table_is_read_alike(tmp_path, text):
    assert cells_of(write(tmp_path, text)) == WANTED


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
@pytest.mark.parametrize("mark", [",", ";"])
def test_every_usual_encoding_is_told_from_the_others(tmp_path, encoding, mark):
    assert cells_of(write(tmp_path, separated(mark), encoding)) == WANTED


@pytest.mark.parametrize("encoding", ["cp850", "mac_roman", "gbk", "cp1251"])
def test_other_encodings_are_named_with_the_row(tmp_path, encoding):
    grade = {"gbk": "可用", "cp1251": "хорошо"}.get(encoding)
    text = PLAIN.replace("ü", "u").replace("usable", grade) if grade else PLAIN
    assert_refused(write(tmp_path, text, encoding), "row 2 is in none of the encodings", "CSV UTF-8")
    mixed = PLAIN.encode() + "größer.jpg,3,usable\n".encode("cp1252")
    assert_refused(write(tmp_path, mixed), "row 5 is in none of the encodings")


def test_quotation_marks_row_numbers_and_single_columns(tmp_path):
    text = 'file;patient;grade\n"a;b.jpg";"say ""no""";"1,0"\n"c\nd.jpg";5" lens;2\n'
    assert cells_of(write(tmp_path, text)) == [["a;b.jpg", 'say "no"', "1,0"], ["c\nd.jpg", '5" lens', "2"]]
    path = write(tmp_path, f"sep=,\nA title\n{HEADER}\n\n{ROWS[0]}\n,,\n{ROWS[1]}\n")
    assert read_labels(path, NEEDED, "").index.tolist() == [5, 7]  # as a reader sees them
    path = write(tmp_path, "a title, with a comma; and more\nfile\na;b\nc\n")
    assert cells_of(path, ["file"]) == [["a;b"], ["c"]]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (PLAIN.replace("002,\n", "002,good,blurred\n"), "row 4 has 4 cells, but the header has 3"),
        ("file,grade\na.jpg,0,98\n", "lacks the column(s) patient (it has: file, grade)"),
        (PLAIN.replace(ROWS[1], ROWS[1].replace(",", ";")), "row 3 is not separated by , as the header is"),
        (PLAIN.replace("002.jpg", '"002.jpg'), "row 3 opens a quotation mark that nothing closes"),
        ("file,patient,grade,grade \na.jpg,1,usable,x\n", "has the column grade twice"),
        ("file,patient,Grade\na.jpg,1,usable\n", "lacks the column(s) grade (it has: file, patient, Grade)"),
        ("file\na.jpg\n", "lacks the column(s) patient, grade (it has: file)"),
        ("file patient grade\na.jpg 1 usable\n", "(it has: file patient grade)"),
        (HEADER + "\n", "holds no label"),
        (HEADER + "\n,,\n\n", "holds no label"),
        ("\n \n", "is empty"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, text, complaint):
    assert_refused(write(tmp_path, text), complaint)


def test_files_of_other_programs_are_named(tmp_path):
    open_document = b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"
    for content, what in (
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "before 2007"),
        (open_document, "OpenDocument"),
        (b"\x1f\x8b\x08\x00", "compressed"),
        (b"%PDF-1.7\n", "a PDF"),
    ):
        assert_refused(write(tmp_path, content), what, "save it as .xlsx or .csv")


@pytest.mark.parametrize("name", ["labels.csv", "labels.xlsx", "labels.parquet"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe\x80 no table", b"PK\x03\x04 cut short"])
def test_files_that_are_no_tables_are_refused_in_a_line(tmp_path, name, content):
    path = write(tmp_path, content, name=name)
    assert_refused(path, "fix it")
    with refused("cannot be read as an Excel file"):
        read_sheets(path, "fix it")
    path.unlink()
    assert_refused(path, "does not exist; fix it")


def workbook(path, sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


EXCEL = [list(NEEDED), ["a.jpg", 7, 1], ["b.jpg", 8.0, 2.0], [None, None, None], ["c.jpg", 9, None]]
EXCEL_WANTED = [["a.jpg", "7", "1"], ["b.jpg", "8", "2"], ["c.jpg", "9", None]]


def test_excel_sheets_with_titles_gaps_numbers_dates_and_truths(tmp_path):
    shifted = [[None, None], ["Grades"], [], *([None, *row] for row in EXCEL)]
    path = workbook(tmp_path / "labels.xlsx", {"read me": [["who", "when"]], "labels": shifted})
    shapes = {name: cells.shape for name, cells in read_sheets(path, "").items()}
    assert shapes == {"read me": (1, 2), "labels": (8, 4)}
    assert cells_of(path) == EXCEL_WANTED
    assert read_labels(path, NEEDED, "").index.tolist() == [5, 6, 8]
    path.rename(tmp_path / "labels.csv")  # the content tells what it is
    assert cells_of(tmp_path / "labels.csv") == EXCEL_WANTED
    rows = [list(NEEDED), ["a.jpg", datetime.date(2025, 1, 31), True], ["b.jpg", "x", False]]
    path = workbook(tmp_path / "labels.xlsx", {"labels": rows})
    assert cells_of(path) == [["a.jpg", "2025-01-31", "True"], ["b.jpg", "x", "False"]]


def test_two_sheets_with_the_same_columns_and_formulas_without_results_are_refused(tmp_path):
    path = workbook(tmp_path / "labels.xlsx", {"May": EXCEL, "June": EXCEL})
    assert_refused(path, "the sheets May and June both have these columns; keep one")
    path = workbook(tmp_path / "labels.xlsx", {"labels": [*EXCEL, ["d.jpg", 9, "=C2"]]})
    assert_refused(path, "sheet labels, cell C6 holds a formula without its result")
    rows = [[*row, "=1+1"] for row in EXCEL[:3]]  # in a column that nobody asks for
    assert len(cells_of(workbook(tmp_path / "other.xlsx", {"labels": rows}))) == 2


GRADES, CODES, WORDS = [1, 0, None], ["1", "0", None], ["good", "bad", None]
FILES, PATIENTS = ["a.jpg", "b.jpg", "c.jpg"], [7, 8, 9]
DATES = ["2025-01-31", "2025-02-01", None]


@pytest.mark.parametrize(
    ("grades", "texts"),
    [
        # aws/aws-sdk-pandas#138, catalyst-cooperative/pudl#563: whole numbers of which some are missing
        *((pd.array(GRADES, dtype=kind), CODES) for kind in ("Int64", "Int8", "Float32", "int64[pyarrow]")),
        (pd.array([True, False, None], dtype="boolean"), ["True", "False", None]),
        *((pd.array(WORDS, dtype=kind), WORDS) for kind in ("string", "string[pyarrow]")),
        (pd.Categorical(WORDS), WORDS),
        (pd.Categorical(GRADES), CODES),
        ([1.0, 0.0, float("nan")], CODES),
        (pd.Series(["good", " bad ", None], dtype=object), WORDS),
        (pd.to_datetime(DATES), DATES),
    ],
)
def test_columns_of_every_type_are_read_from_parquet(tmp_path, grades, texts):
    path = tmp_path / "labels.parquet"
    pd.DataFrame({"file": FILES, "patient": PATIENTS, "grade": grades}).to_parquet(path)
    wanted = [list(row) for row in zip(FILES, ["7", "8", "9"], texts, strict=True)]
    assert cells_of(path) == wanted
    frame = pd.read_parquet(path).convert_dtypes()
    frame.set_index("file").to_parquet(path)  # pandas writes an index as a column of its name
    assert [row[:2] for row in cells_of(path)] == [row[:2] for row in wanted]


@pytest.mark.parametrize(
    "grades",
    [
        pa.array(GRADES, pa.int32()),
        pa.array([decimal.Decimal(1), decimal.Decimal(0), None], pa.decimal128(5, 0)),
        pa.array(CODES, pa.large_string()),
        pa.array(CODES).dictionary_encode(),
        pa.array([b"1", b"0", None], pa.binary()),
    ],
)
def test_columns_of_arrow_are_read_from_parquet_and_one_of_lists_is_named(tmp_path, grades):
    path = tmp_path / "labels.parquet"
    pq.write_table(pa.table({"file ": FILES, "patient": PATIENTS, "grade": grades}), path)
    assert [row[2] for row in cells_of(path)] == CODES
    assert read_labels(path, NEEDED, "").index.tolist() == [1, 2, 3]
    pq.write_table(pa.table({"file": FILES, "patient": PATIENTS, "grade": [[1], [0], []]}), path)
    assert_refused(path, "lacks the column(s) grade", "grade <list<element: int64>>")


def test_file_is_found_whatever_its_case_and_else_named_as_it_should_be(tmp_path):
    (tmp_path / "Labels.CSV").touch()
    assert find_file(tmp_path, "other.csv", "labels.csv") == tmp_path / "Labels.CSV"
    assert find_file(tmp_path, "other.csv") == tmp_path / "other.csv"
    assert find_file(tmp_path / "nowhere", "labels.csv") == tmp_path / "nowhere" / "labels.csv"


def test_codes_are_translated_and_others_refused():
    def codes(*values, blank=True):
        return decode(
            pd.Series(values, name="grade"), pd.Series(["a", "b", "c"]), {0: 2, 2: 0}, "file", blank
        )

    assert codes("0", "2.0", None).tolist()[:2] == [2, 0]
    assert codes("0", "2.0", None).isna().tolist() == [False, False, True]
    with refused("file: image c has grade nan; legal: 0, 2; correct it"):
        codes("0", "2.0", None, blank=False)
    with refused("image b has grade good"):
        codes("0", "good", "2")
