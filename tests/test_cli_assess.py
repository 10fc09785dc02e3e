import inspect
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress

import cv2
import numpy as np
import pytest
from PIL import Image

from riqa import cli_assess
from riqa.assess.session import PHANTOM_MODEL, open_session
from riqa.cli import main
from riqa.learn.novelty import QUANTILE
from tests.assess.strangers import STRANGERS
from tests.data.files import in_bits
from tests.powers import python_without_powers


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def clinic(lab, tmp_path):
    """Six photographs, and in a folder below them noise."""
    root = tmp_path / "clinic"
    (root / "z").mkdir(parents=True)
    for path in lab.photographs(6):
        shutil.copy(path, root)
    cv2.imwrite(str(root / "z" / "noise.png"), STRANGERS["noise"](np.random.default_rng(0)))
    return root


def ends_with(status, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["assess", *map(str, arguments)])
    assert ended.value.code == status


def answers(out):
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("ending", ["", ".safetensors", ".json", ".novelty.safetensors"])
def test_any_file_of_a_model_names_it(lab, clinic, capsys, ending):
    ends_with(0, f"{lab.stem}{ending}", clinic, "--json")
    told = capsys.readouterr()
    found = answers(told.out)
    assert [one["path"] for one in found] == [
        str(path) for path in [*sorted(clinic.glob("*.jpg")), clinic / "z" / "noise.png"]
    ]
    assert [one["abstain"] for one in found] == [False] * 6 + [True]
    assert found[-1]["reason"].startswith("no fundus")
    for one in found:
        assert list(one) == ["path", "overall", "details", "advice", "abstain", "reason", "warning"]
    assert [line.split(":")[0] for line in told.err.splitlines()] == ["7 photographs"]  # no progress in a log


def test_progress_is_shown_on_a_terminal(lab, clinic):
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    command = [sys.executable, "-m", "riqa.cli", "assess", str(lab.stem), str(clinic), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, text=True) as process:
        os.close(terminal)
        told = b""
        with suppress(OSError):  # how Linux says that nobody writes to it any more
            while piece := os.read(controller, 1000):
                told += piece
        assert len(answers(process.stdout.read())) == 7
    os.close(controller)
    assert process.returncode == 0
    assert b"assess: 100%" in told
    assert b"7/7" in told


def test_a_table_by_default_and_bad_files_at_the_end(lab, clinic, capsys):
    (clinic / "0.jpg").write_text("no image")
    ends_with(1, lab.stem, clinic, clinic / "gone.jpg")
    told = capsys.readouterr()
    rows = [line.split() for line in told.out.splitlines()]
    assert ["photograph", "overall", "illumination", "clarity", "contrast", "advice"] in rows
    assert any(row[:1] == ["z/noise.png"] for row in rows)
    assert "0.jpg" not in told.out.split()
    lines = told.err.splitlines()
    assert lines[-3].endswith("2 could not be read; phantom model")
    assert lines[-2:] == [
        f"  {clinic / '0.jpg'}: not an image file",
        f"  {clinic / 'gone.jpg'}: file is missing",
    ]


def test_bad_files_are_no_json_and_do_not_stop_the_rest(lab, clinic, capsys):
    (clinic / "0.jpg").write_text("no image")
    ends_with(1, lab.stem, clinic, "--json")
    assert len(answers(capsys.readouterr().out)) == 7


def test_an_empty_folder_among_others_is_a_finding(lab, clinic, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    ends_with(1, lab.stem, clinic, tmp_path / "empty", "--json")
    told = capsys.readouterr()
    assert len(answers(told.out)) == 7
    assert "empty: no image in this folder" in told.err


def test_what_is_passed_over_is_in_the_summary_and_on_the_page(lab, clinic, tmp_path, capsys):
    shutil.copytree(clinic / "z", clinic / ".ipynb_checkpoints")
    (clinic / "scan.heic").touch()
    (clinic / "z" / "up").symlink_to("..")
    ends_with(0, lab.stem, clinic, "--json", "--html", tmp_path / "page.html")
    told = capsys.readouterr()
    assert len(answers(told.out)) == 7
    passed = (
        "passed over: 1 hidden or of the system (.ipynb_checkpoints), 1 with an ending that is not read "
        "(.heic 1, e.g. scan.heic), 1 linked back to a folder above (up)"
    )
    assert told.err.splitlines()[-1].endswith(f"; {passed}; phantom model")
    assert passed in (tmp_path / "page.html").read_text()


def test_what_we_have_no_permission_for_is_named_and_does_not_stop_the_rest(lab, clinic):
    named, *_ = sorted(clinic.glob("*.jpg"))
    named.chmod(0)
    (clinic / "z").chmod(0)
    try:
        told = python_without_powers("-m", "riqa.cli", "assess", lab.stem, named, clinic, "--json")
    finally:
        (clinic / "z").chmod(0o700)
    assert (told.returncode, len(answers(told.stdout))) == (1, 5)
    last = told.stderr.splitlines()[-3:]
    assert last[0].endswith("2 could not be read; phantom model")
    assert last[1] == f"  {clinic / 'z'}: no permission to enter it"
    assert last[2].startswith(f"  {named}: ")


def test_photographs_may_be_named_from_here_and_from_the_root(lab, clinic, monkeypatch, capsys):
    monkeypatch.chdir(clinic)
    first, second = sorted(clinic.glob("*.jpg"))[:2]
    ends_with(0, lab.stem, first.name, second)
    words = capsys.readouterr().out.split()
    assert [word for word in words if word.endswith(".jpg")] == [first.name, second.name]


def one_line_of_why(capsys):
    told = capsys.readouterr()
    assert told.out == ""
    lines = [line for line in told.err.splitlines() if line.startswith("riqa: ")]
    assert len(lines) == 1
    assert "Traceback" not in told.err
    return lines[0]


def test_what_cannot_be_done_ends_with_2_and_one_line(lab, clinic, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    ends_with(2, lab.stem, tmp_path / "empty")
    assert "no image in" in one_line_of_why(capsys)
    ends_with(2, tmp_path / "nowhere", clinic)
    assert "nowhere.safetensors: no such model file" in one_line_of_why(capsys)
    (tmp_path / "notes.txt").write_text("no image")
    ends_with(2, lab.stem, tmp_path / "notes.txt", "--json")
    assert "none of 1 files can be read" in one_line_of_why(capsys)
    ends_with(2, lab.stem, clinic, "--html", clinic)
    assert "is a folder" in one_line_of_why(capsys)


@pytest.mark.parametrize("ending", ["safetensors", "novelty.safetensors", "json"])
def test_a_model_cut_short_is_named(lab, clinic, tmp_path, capsys, ending):
    for file in lab.stem.parent.glob(f"{lab.stem.name}.*"):
        shutil.copy(file, tmp_path)
    file = tmp_path / f"{lab.stem.name}.{ending}"
    file.write_bytes(file.read_bytes()[:300])
    ends_with(2, tmp_path / lab.stem.name, clinic)
    assert f"{lab.stem.name}.{ending}" in one_line_of_why(capsys)


def test_a_model_without_novelty_says_so_and_answers(lab, clinic, tmp_path, capsys):
    for ending in ("safetensors", "json"):
        shutil.copy(f"{lab.stem}.{ending}", tmp_path)
    ends_with(0, tmp_path / lab.stem.name, clinic, "--json", "--html", tmp_path / "page.html")
    told = capsys.readouterr()
    assert len(answers(told.out)) == 7
    assert "riqa: this model came without its .novelty.safetensors" in told.err
    assert "This model came without its .novelty.safetensors" in (tmp_path / "page.html").read_text()


def test_a_phantom_model_says_so_on_every_line_and_card(lab, clinic, tmp_path, capsys):
    """The set was given the name toy: what was drawn is known from the set, not from a name."""
    ends_with(0, lab.stem, clinic, "--json", "--html", tmp_path / "page.html")
    told = capsys.readouterr()
    assert [one["warning"] for one in answers(told.out)] == [PHANTOM_MODEL] * 7
    assert told.err.splitlines()[-1].endswith("; phantom model")
    assert (tmp_path / "page.html").read_text().count("Phantom model: ") == 8  # seven cards, and on top
    ends_with(0, lab.stem, clinic)
    told = capsys.readouterr().out
    assert told.count("phantom model") == 8  # seven rows, and below in full
    assert f"{PHANTOM_MODEL} (7)" in told


def test_a_phantom_model_that_is_accepted_says_nothing(lab, clinic, tmp_path, capsys):
    ends_with(0, lab.stem, clinic, "--accept-phantoms", "--json", "--html", tmp_path / "page.html")
    told = capsys.readouterr()
    assert [one["warning"] for one in answers(told.out)] == [None] * 7
    assert "phantom model" not in told.err + (tmp_path / "page.html").read_text().casefold()
    ends_with(0, lab.stem, clinic, "--accept-phantoms")
    assert "phantom model" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("told", "warned"),
    [
        ({"drawn": True, "trained_on": "clinic"}, True),
        ({"drawn": False, "trained_on": "clinic"}, False),
        ({"trained_on": "phantom_eyes"}, True),  # of a version that did not say what is drawn
        ({"trained_on": "simulated_details"}, False),
        ({}, False),
    ],
)
def test_what_a_model_was_trained_on_is_read_from_its_description(lab, clinic, tmp_path, told, warned):
    for file in lab.stem.parent.glob(f"{lab.stem.name}.*"):
        shutil.copy(file, tmp_path)
    description = tmp_path / f"{lab.stem.name}.json"
    content = json.loads(description.read_text())
    assert content.pop("drawn") is True
    content.pop("trained_on")
    description.write_text(json.dumps(content | told))
    assert open_session(tmp_path / lab.stem.name, [clinic]).warning == (PHANTOM_MODEL if warned else None)


def test_a_page_beside_the_answers(lab, clinic, tmp_path, capsys):
    page = tmp_path / "new" / "page.html"
    ends_with(0, lab.stem, clinic, "--json", "--html", page, "--pictures", 2)
    assert len(answers(capsys.readouterr().out)) == 7
    text = page.read_text()
    assert text.count("data:image/jpeg") == 4
    assert "Pictures are shown for the first 2 of 7 photographs" in text
    assert [file.name for file in page.parent.iterdir()] == ["page.html"]


def test_every_number_of_the_command_line_arrives(lab, clinic, monkeypatch, capsys):
    import riqa.assess.session as session

    seen = {}
    for name in ("assess", "read_ahead"):
        real = getattr(session, name)

        def spy(*arguments, real=real, **knobs):
            seen.update(knobs)
            return real(*arguments, **knobs)

        monkeypatch.setattr(session, name, spy)
    ends_with(0, lab.stem, clinic, "--batch-size", 3, "--threads", 1, "--quantile", 0.9)
    assert list(seen.pop("standing")) == ["reject", "good"]
    assert seen == {"batch_size": 3, "quantile": 0.9, "threads": 1, "ahead": 6, "warning": PHANTOM_MODEL}


def test_the_quantile_is_the_documented_one():
    assert inspect.signature(cli_assess.assess).parameters["quantile"].default == QUANTILE


@pytest.mark.parametrize(
    "arguments", [["--batch-size", "0"], ["--threads", "0"], ["--quantile", "2"], ["--pictures", "-1"]]
)
def test_a_number_out_of_range_is_refused(lab, clinic, capsys, arguments):
    ends_with(2, lab.stem, clinic, *arguments)
    assert capsys.readouterr().out == ""


# GoogleCloudPlatform/gsutil#1625, freedomofpress/dangerzone#768: names in archives of Windows are no UTF-8.
ODD_NAMES = (b"M\xfcller.jpg", b"a\nb.jpg", b"\x1b[31mred.jpg", b"[red]:eye:.jpg", "眼.jpg".encode())
ODD_SHOWN = ("M\ufffdller.jpg", "a\ufffdb.jpg", "\ufffd[31mred.jpg", "[red]:eye:.jpg", "眼.jpg")


@pytest.fixture
def odd(clinic):
    """The clinic as a folder whose name is odd, of files whose names are."""
    folder = clinic.with_name(os.fsdecode(b"cl[red]inic \xe9"))
    clinic.rename(folder)
    for file, name in zip(sorted(folder.glob("*.jpg")), ODD_NAMES, strict=False):
        file.rename(folder / os.fsdecode(name))
    (folder / os.fsdecode(b"\xff\n.png")).write_text("no image")
    return folder


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_odd_names_pass_every_outlet(lab, odd, tmp_path, monkeypatch, capsys, encoding):
    for arguments in (["--json"], []):
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
        with monkeypatch.context() as changed:
            changed.setattr(sys, "stdout", out)
            ends_with(1, lab.stem, odd, "--html", tmp_path / "page.html", *arguments)
            out.flush()
        told = out.buffer.getvalue().decode(encoding)
        if arguments:
            names = [one["path"].rpartition("/")[2] for one in answers(told)]
            assert len(names) == 7
            assert {*ODD_SHOWN} <= {*names}
        else:
            sign = {"utf-8": "\ufffd", "ascii": r"\ufffd"}[encoding]
            assert f"/cl[red]inic{sign}photograph" in "".join(told.split())  # wherever the line was broken
            assert "\x1b" not in told
            assert "[red]:eye:.jpg" in told
        assert capsys.readouterr().err.splitlines()[-1].endswith("\ufffd\ufffd.png: not an image file")
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert page.count("data:image/jpeg") == 13  # six with heat maps, and noise
        assert "M\ufffdller.jpg" in page


def test_odd_names_pass_the_line_of_why(lab, odd, tmp_path, capsys):
    ends_with(2, lab.stem, odd / os.fsdecode(b"\xff\n.png"), "--json")
    assert one_line_of_why(capsys).endswith("\ufffd\ufffd.png: not an image file")
    ends_with(2, tmp_path / os.fsdecode(b"\xff\n"), odd)
    assert "\ufffd\ufffd.safetensors: no such model file" in one_line_of_why(capsys)


def test_depth_that_is_not_known_is_a_reason_and_no_grade(lab, clinic, capsys):
    grey = cv2.imread(str(next(clinic.glob("*.jpg")))).astype(np.uint16)
    grey = in_bits(grey, 8)
    cv2.imwrite(str(clinic / "ten.png"), in_bits(grey, 10))
    cv2.imwrite(str(clinic / "sixteen.png"), grey * 257)
    cv2.imwrite(str(clinic / "eight.png"), grey.astype(np.uint8))
    ends_with(1, lab.stem, *(clinic / f"{name}.png" for name in ("ten", "sixteen", "eight")), "--json")
    told = capsys.readouterr()
    sixteen, eight = answers(told.out)
    assert sixteen["overall"] == eight["overall"]
    assert told.err.splitlines()[-1] == f"  {clinic / 'ten.png'}: uses 10 of 16 bits"


def start(lab, clinic, *arguments):
    command = [sys.executable, "-m", "riqa.cli", "assess", str(lab.stem), str(clinic), "--json", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_ctrl_c_leaves_whole_lines_and_no_page(lab, clinic, tmp_path):
    for k in range(80):
        with Image.open(next(clinic.glob("*.jpg"))) as image:
            image.resize((900, 900)).save(clinic / f"z{k:02d}.png", compress_level=1)
    process = start(lab, clinic, "--batch-size", "1", "--threads", "1", "--html", str(tmp_path / "page.html"))
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    lines = (first + rest).splitlines()
    assert 1 <= len(lines) < 87
    assert all(json.loads(line)["path"] for line in lines)
    assert "riqa: stopped." in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "page.html").exists()


def test_a_reader_who_goes_away_is_no_failure(lab, clinic):
    process = start(lab, clinic, "--batch-size", "1")
    process.stdout.close()
    errors = process.stderr.read()
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.stderr.close()
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
