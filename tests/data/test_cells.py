"""Label files as programs write them: the same table in every dress, or a line that names what is wrong."""

import datetime
import decimal

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riqa.data.cells import read_sheets
from riqa.data.sheets import read_labels
from riqa.errors import InputError

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


def assert_refused(path, *parts, needed=NEEDED):
    with pytest.raises(InputError) as caught:
        read_labels(path, needed, "fix it")
    message = str(caught.value)
    assert "\n" not in message
    for part in (str(path), *parts):
        assert part in message


def separated(mark):
    return PLAIN.replace(",", mark)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(PLAIN, id="plain"),
        # BodenmillerGroup/steinbock#28, langgenius/dify#42354: Excel's separator where commas are decimal
        pytest.param(separated(";"), id="semicolons"),
        pytest.param(separated("\t"), id="tabs"),
        pytest.param(separated("|"), id="bars"),
        pytest.param("sep=,\n" + PLAIN, id="line that names the separator"),
        pytest.param('"sep=;"\n' + separated(";"), id="that line in quotation marks"),
        pytest.param("sep=\t\r\n" + separated("\t"), id="that line naming tabs"),
        # pandas-dev/pandas#14124, #9295: rows with a separator more than the header
        pytest.param("\n".join([HEADER, *(row + "," for row in ROWS)]), id="separator too many in rows"),
        pytest.param("\n".join(line + ",," for line in [HEADER, *ROWS]), id="separators too many in lines"),
        # bardsoftware/ganttproject#1634: rows of separators alone
        pytest.param("\n".join([HEADER, ROWS[0], "", ",,", *ROWS[1:], ",,", " , , ", ""]), id="empty rows"),
        pytest.param("\n\n" + PLAIN, id="empty rows above"),
        pytest.param("Grades of our clinic\nmade by A, B and C\n\n" + PLAIN, id="titles above"),
        pytest.param(PLAIN.replace("002,\n", "002\n"), id="short row"),
        pytest.param(PLAIN.replace(",", " , "), id="blanks around cells"),
        pytest.param(PLAIN.replace("file,patient", '"\xa0file ","patient "'), id="blanks around titles"),
        pytest.param(PLAIN.replace("\n", "\r\n"), id="Windows' line ends"),
        pytest.param(PLAIN.replace("\n", "\r"), id="old Macs' line ends"),
        pytest.param(PLAIN + "\x1a", id="MS-DOS's end"),
        pytest.param(PLAIN.replace("002,\n", "002,NA\n"), id="NA"),
        pytest.param("a;b|c,x\n".replace(",x", "") + PLAIN, id="other separators above"),
        pytest.param(OTHER_COLUMNS, id="other columns"),
    ],
)  # fmt: skip
def test_every_dress_of_a_table_is_read_alike(tmp_path, text):
    assert cells_of(write(tmp_path, text)) == WANTED


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
@pytest.mark.parametrize("mark", [",", ";"])
def test_every_usual_encoding_is_told_from_the_others(tmp_path, encoding, mark):
    assert cells_of(write(tmp_path, separated(mark), encoding)) == WANTED


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (PLAIN, "cp850"),
        (PLAIN, "mac_roman"),
        (PLAIN.replace("ü", "u").replace("usable", "可用"), "gbk"),
        (PLAIN.replace("ü", "u").replace("usable", "хорошо"), "cp1251"),
    ],
)
def test_other_encodings_are_named_with_the_row(tmp_path, text, encoding):
    assert_refused(write(tmp_path, text, encoding), "row 2 is in none of the encodings", "CSV UTF-8")


def test_a_row_in_another_encoding_than_the_rest_is_named(tmp_path):
    content = PLAIN.encode() + "größer.jpg,3,usable\n".encode("cp1252")
    assert_refused(write(tmp_path, content), "row 5 is in none of the encodings")


def test_cells_in_quotation_marks_may_hold_separators_and_lines(tmp_path):
    text = 'file;patient;grade\n"a;b.jpg";"say ""no""";"1,0"\n"c\nd.jpg";5" lens;2\n'
    assert cells_of(write(tmp_path, text)) == [["a;b.jpg", 'say "no"', "1,0"], ["c\nd.jpg", '5" lens', "2"]]


def test_rows_keep_the_numbers_that_a_reader_sees(tmp_path):
    table = read_labels(
        write(tmp_path, f"sep=,\nA title\n{HEADER}\n\n{ROWS[0]}\n,,\n{ROWS[1]}\n"), NEEDED, ""
    )
    assert table.index.tolist() == [5, 7]


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


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "before 2007"),
        (
            b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
            "OpenDocument",
        ),
        (b"\x1f\x8b\x08\x00", "compressed"),
        (b"%PDF-1.7\n", "a PDF"),
    ],
)
def test_files_of_other_programs_are_named(tmp_path, content, what):
    assert_refused(write(tmp_path, content), what, "save it as .xlsx or .csv")


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


def test_excel_sheets_with_titles_gaps_and_numbers(tmp_path):
    shifted = [[None, None], ["Grades"], [], *([None, *row] for row in EXCEL)]
    path = workbook(tmp_path / "labels.xlsx", {"read me": [["who", "when"]], "labels": shifted})
    assert cells_of(path) == EXCEL_WANTED
    assert read_labels(path, NEEDED, "").index.tolist() == [5, 6, 8]
    path.rename(tmp_path / "labels.csv")  # the content tells what it is
    assert cells_of(tmp_path / "labels.csv") == EXCEL_WANTED


def test_excel_dates_and_truths_are_written_out(tmp_path):
    rows = [list(NEEDED), ["a.jpg", datetime.date(2025, 1, 31), True], ["b.jpg", "x", False]]
    path = workbook(tmp_path / "labels.xlsx", {"labels": rows})
    assert cells_of(path) == [["a.jpg", "2025-01-31", "True"], ["b.jpg", "x", "False"]]


def test_two_sheets_with_the_same_columns_are_refused(tmp_path):
    path = workbook(tmp_path / "labels.xlsx", {"May": EXCEL, "June": EXCEL})
    assert_refused(path, "the sheets May and June both have these columns; keep one")


def test_formulas_without_results_are_named(tmp_path):
    rows = [*EXCEL, ["d.jpg", 9, "=C2"]]
    path = workbook(tmp_path / "labels.xlsx", {"labels": rows})
    assert_refused(path, "sheet labels, cell C6 holds a formula without its result")
    rows = [[*row, "=1+1"] for row in EXCEL[:3]]  # in a column that nobody asks for
    assert len(cells_of(workbook(tmp_path / "other.xlsx", {"labels": rows}))) == 2


GRADES = [1, 0, None]
FILES, PATIENTS = ["a.jpg", "b.jpg", "c.jpg"], [7, 8, 9]


@pytest.mark.parametrize(
    ("grades", "texts"),
    [
        # aws/aws-sdk-pandas#138, catalyst-cooperative/pudl#563: whole numbers of which some are missing
        (pd.array(GRADES, dtype="Int64"), ["1", "0", None]),
        (pd.array(GRADES, dtype="Int8"), ["1", "0", None]),
        (pd.array(GRADES, dtype="Float32"), ["1", "0", None]),
        (pd.array(GRADES, dtype="int64[pyarrow]"), ["1", "0", None]),
        (pd.array([True, False, None], dtype="boolean"), ["True", "False", None]),
        (pd.array(["good", "bad", None], dtype="string"), ["good", "bad", None]),
        (pd.array(["good", "bad", None], dtype="string[pyarrow]"), ["good", "bad", None]),
        (pd.Categorical(["good", "bad", None]), ["good", "bad", None]),
        (pd.Categorical([1, 0, None]), ["1", "0", None]),
        ([1.0, 0.0, float("nan")], ["1", "0", None]),
        (pd.Series(["good", " bad ", None], dtype=object), ["good", "bad", None]),
        (pd.to_datetime(["2025-01-31", "2025-02-01", None]), ["2025-01-31", "2025-02-01", None]),
    ],
)  # fmt: skip
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
        pa.array(["1", "0", None], pa.large_string()),
        pa.array(["1", "0", None]).dictionary_encode(),
        pa.array([b"1", b"0", None], pa.binary()),
    ],
)
def test_columns_of_arrow_are_read_from_parquet(tmp_path, grades):
    path = tmp_path / "labels.parquet"
    pq.write_table(pa.table({"file ": FILES, "patient": PATIENTS, "grade": grades}), path)
    assert [row[2] for row in cells_of(path)] == ["1", "0", None]
    assert read_labels(path, NEEDED, "").index.tolist() == [1, 2, 3]


def test_a_column_of_lists_is_named(tmp_path):
    path = tmp_path / "labels.parquet"
    pq.write_table(pa.table({"file": FILES, "patient": PATIENTS, "grade": [[1], [0], []]}), path)
    assert_refused(path, "lacks the column(s) grade", "grade <list<element: int64>>")


def test_sheets_are_read_as_they_are(tmp_path):
    path = workbook(tmp_path / "scores.xlsx", {"one": EXCEL[:2], "two": [[1]]})
    sheets = read_sheets(path, "fix it")
    assert {name: cells.shape for name, cells in sheets.items()} == {"one": (2, 3), "two": (1, 1)}
