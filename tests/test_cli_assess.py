"""`riqa assess`: an answer for every photograph, a line for everything else, whatever files and models are."""

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
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from riqa import cli_assess
from riqa.assess import answers as room
from riqa.assess.answers import PHANTOM_MODEL
from riqa.learn.novelty import QUANTILE
from tests.assess.strangers import STRANGERS
from tests.data.files import in_bits


@pytest.fixture
def clinic(lab, tmp_path):
    """Six photographs, and in a folder below them noise."""
    root = tmp_path / "clinic"
    (root / "z").mkdir(parents=True)
    for path in lab.photographs(6):
        shutil.copy(path, root)
    cv2.imwrite(str(root / "z" / "noise.png"), STRANGERS["noise"](np.random.default_rng(0)))
    return root


def answers(out):
    return [json.loads(line) for line in out.splitlines()]


def start(*arguments, prefix=(), stderr=subprocess.PIPE):
    command = map(str, [*prefix, sys.executable, "-m", "riqa.cli", "assess", "--json", *arguments])
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)


def test_every_outlet_answers_for_every_photograph_and_names_every_other_file(lab, clinic, tmp_path, riqa):
    """The model's set was given the name toy: that it was drawn is known from the set, not from a name."""
    shutil.copytree(clinic / "z", clinic / ".ipynb_checkpoints")
    (clinic / "scan.heic").touch()
    (clinic / "z" / "up").symlink_to("..")
    (clinic / "0.jpg").write_text("no image")
    (tmp_path / "empty").mkdir()
    page = tmp_path / "new" / "page.html"
    given = ("assess", lab.stem, clinic, clinic / "gone.jpg", tmp_path / "empty")
    told = riqa(1, *given, "--json", "--html", page, "--pictures", 2)
    found, lines = answers(told.out), told.err.splitlines()  # and no progress in a log
    paths = [path for path in sorted(clinic.glob("*.jpg")) if path.name != "0.jpg"]
    assert [one["path"] for one in found] == [*map(str, paths), str(clinic / "z" / "noise.png")]
    assert [one["abstain"] for one in found] == [False] * 6 + [True]
    assert found[-1]["reason"].startswith("no fundus")
    assert {one["warning"] for one in found} == {PHANTOM_MODEL}
    passed = (
        "passed over: 1 hidden or of the system (.ipynb_checkpoints), 1 with an ending that is not read "
        "(.heic 1, e.g. scan.heic), 1 linked back to a folder above (up)"
    )
    assert lines[0].startswith("7 photographs: ")
    assert lines[0].endswith(f"; 3 could not be read; {passed}; phantom model")
    assert lines[1:] == [
        f"  {tmp_path / 'empty'}: no image in this folder",
        f"  {clinic / '0.jpg'}: not an image file",
        f"  {clinic / 'gone.jpg'}: file is missing",
    ]
    text = page.read_text()
    assert text.count("data:image/jpeg") == 4
    assert "Pictures are shown for the first 2 of 7 photographs" in text
    assert passed in text
    assert text.casefold().count("phantom model: ") == 8  # seven cards, and on top
    assert [file.name for file in page.parent.iterdir()] == ["page.html"]
    table = riqa(1, *given)
    words = table.out.split()
    assert words[1:7] == ["photograph", "overall", "illumination", "clarity", "contrast", "advice"]
    assert ("z/noise.png" in words, "0.jpg" in words) == (True, False)
    assert table.out.count("phantom model") == 8  # seven rows, and below in full
    assert f"{PHANTOM_MODEL} (7)" in table.out
    assert table.err == told.err


def test_progress_is_shown_on_a_terminal(lab, clinic):
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    with start(lab.stem, clinic, stderr=terminal) as process:
        os.close(terminal)
        told = b""
        with suppress(OSError):  # how Linux says that nobody writes to it any more
            while piece := os.read(controller, 1000):
                told += piece
        assert len(answers(process.stdout.read())) == 7
    os.close(controller)
    assert (process.returncode, b"assess: 100%" in told, b"7/7" in told) == (0, True, True)


def test_what_we_have_no_permission_for_is_named_and_does_not_stop_the_rest(lab, clinic, without_roots_power):
    named = min(clinic.glob("*.jpg"))
    named.chmod(0)
    (clinic / "z").chmod(0)
    try:
        process = start(lab.stem, named, clinic, prefix=without_roots_power)
        out, errors = process.communicate()
    finally:
        (clinic / "z").chmod(0o700)
    assert (process.returncode, len(answers(out))) == (1, 5)
    last = errors.splitlines()[-3:]
    assert last[0].endswith("2 could not be read; phantom model")
    assert last[1] == f"  {clinic / 'z'}: no permission to enter it"
    assert last[2].startswith(f"  {named}: ")


def test_what_cannot_be_done_ends_with_2_and_one_line(lab, clinic, tmp_path, riqa):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no image")
    odd = tmp_path / os.fsdecode(b"\xff\n.png")
    odd.write_text("no image")
    for arguments, reason in (
        ((lab.stem, tmp_path / "empty"), "no image in"),
        ((tmp_path / "nowhere", clinic), "nowhere.safetensors: no such model file"),
        ((lab.stem, tmp_path / "notes.txt", "--json"), "none of 1 files can be read"),
        ((lab.stem, odd, "--json"), "\ufffd\ufffd.png: not an image file"),
        ((tmp_path / os.fsdecode(b"\xff\n"), clinic), "\ufffd\ufffd.safetensors: no such model file"),
        ((lab.stem, clinic, "--html", clinic), "is a folder"),
    ):
        told = riqa(2, "assess", *arguments)
        assert reason in told.err
        assert (told.out, told.err[:6], told.err.count("\n")) == ("", "riqa: ", 1)
    for option, value in (("--batch-size", 0), ("--threads", 0), ("--quantile", 2), ("--pictures", -1)):
        assert riqa(2, "assess", lab.stem, clinic, option, value).out == ""


@pytest.fixture
def copy(lab, tmp_path):
    """The model's files in a folder where they may be changed; their common stem."""
    for file in lab.stem.parent.glob(f"{lab.stem.name}.*"):
        shutil.copy(file, tmp_path)
    return tmp_path / lab.stem.name


@pytest.mark.parametrize("ending", ["safetensors", "novelty.safetensors", "json"])
def test_a_model_cut_short_is_named(copy, clinic, riqa, ending):
    os.truncate(f"{copy}.{ending}", 300)
    told = riqa(2, "assess", copy, clinic)
    assert f"{copy.name}.{ending}" in told.err
    assert (told.out, told.err.count("\n")) == ("", 1)


def test_a_model_without_novelty_says_so_and_answers(copy, clinic, tmp_path, riqa):
    Path(f"{copy}.novelty.safetensors").unlink()
    told = riqa(0, "assess", copy, clinic, "--json", "--html", tmp_path / "page.html")
    assert len(answers(told.out)) == 7
    assert "riqa: this model came without its .novelty.safetensors" in told.err
    assert "This model came without its .novelty.safetensors" in (tmp_path / "page.html").read_text()


def test_an_accepted_phantom_model_warns_nowhere(lab, clinic, tmp_path, riqa):
    given = ("assess", lab.stem, clinic, "--accept-phantoms")
    told = riqa(0, *given, "--json", "--html", tmp_path / "page.html")
    assert {one["warning"] for one in answers(told.out)} == {None}
    for text in (told.err, (tmp_path / "page.html").read_text().casefold(), riqa(0, *given).out):
        assert "phantom model" not in text


def test_every_number_of_the_command_line_arrives(lab, clinic, monkeypatch, riqa):
    seen = {}

    def spied(real):
        return lambda *given, **knobs: seen.update(knobs) or real(*given, **knobs)

    monkeypatch.setattr(room, "assess", spied(room.assess))
    monkeypatch.setattr(cli_assess, "work_ahead", spied(cli_assess.work_ahead))
    riqa(0, "assess", lab.stem, clinic, "--batch-size", 3, "--threads", 1, "--quantile", 0.9)
    assert seen == {"batch_size": 3, "quantile": 0.9, "threads": 1, "ahead": 6}
    assert inspect.signature(cli_assess.assess).parameters["quantile"].default == QUANTILE


# GoogleCloudPlatform/gsutil#1625, freedomofpress/dangerzone#768: names in archives of Windows are no UTF-8.
ODD_NAMES = (b"M\xfcller.jpg", b"a\nb.jpg", b"\x1b[31mred.jpg", b"[red]:eye:.jpg", "眼.jpg".encode())
ODD_SHOWN = ("M\ufffdller.jpg", "a\ufffdb.jpg", "\ufffd[31mred.jpg", "[red]:eye:.jpg", "眼.jpg")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_odd_names_pass_every_outlet(lab, clinic, tmp_path, monkeypatch, riqa, encoding):
    odd = clinic.rename(clinic.with_name(os.fsdecode(b"cl[red]inic \xe9")))
    for file, name in zip(sorted(odd.glob("*.jpg")), ODD_NAMES, strict=False):
        file.rename(odd / os.fsdecode(name))
    (odd / os.fsdecode(b"\xff\n.png")).write_text("no image")
    told = {}
    for outlet in ("--json", "--quantile=0.99"):
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
        with monkeypatch.context() as changed:
            changed.setattr(sys, "stdout", out)
            err = riqa(1, "assess", lab.stem, odd, "--html", tmp_path / "page.html", outlet).err
            out.flush()
        told[outlet] = out.buffer.getvalue().decode(encoding)
        assert err.splitlines()[-1].endswith("\ufffd\ufffd.png: not an image file")
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert (page.count("data:image/jpeg"), "M\ufffdller.jpg" in page) == (13, True)  # heat maps of six
    document, table = told.values()
    names = [one["path"].rpartition("/")[2] for one in answers(document)]
    assert (len(names), {*ODD_SHOWN} <= {*names}) == (7, True)
    sign = {"utf-8": "\ufffd", "ascii": r"\ufffd"}[encoding]
    assert f"/cl[red]inic{sign}photograph" in "".join(table.split())  # wherever the line was broken
    assert ("\x1b" in table, "[red]:eye:.jpg" in table) == (False, True)


def test_depth_that_is_not_known_is_a_reason_and_no_grade(lab, clinic, riqa):
    grey = in_bits(cv2.imread(str(next(clinic.glob("*.jpg")))).astype(np.uint16), 8)
    files = {"ten": in_bits(grey, 10), "sixteen": grey * 257, "eight": grey.astype(np.uint8)}
    for name, image in files.items():
        cv2.imwrite(str(clinic / f"{name}.png"), image)
    told = riqa(1, "assess", lab.stem, *(clinic / f"{name}.png" for name in files), "--json")
    sixteen, eight = answers(told.out)
    assert sixteen["overall"] == eight["overall"]
    assert told.err.splitlines()[-1] == f"  {clinic / 'ten.png'}: uses 10 of 16 bits"


def test_ctrl_c_leaves_whole_lines_and_no_page(lab, clinic, tmp_path):
    with Image.open(next(clinic.glob("*.jpg"))) as image:
        image.resize((900, 900)).save(clinic / "z00.png", compress_level=1)
    for k in range(1, 80):
        (clinic / f"z{k:02d}.png").hardlink_to(clinic / "z00.png")
    page = tmp_path / "page.html"
    process = start(lab.stem, clinic, "--batch-size", 1, "--threads", 1, "--html", page)
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert 1 <= len(answers(first + rest)) < 87
    assert ("riqa: stopped." in errors, "Traceback" in errors, page.exists()) == (True, False, False)


def test_a_reader_who_goes_away_is_no_failure(lab, clinic):
    process = start(lab.stem, clinic, "--batch-size", 1)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 1
    assert ("Traceback" in errors, "Exception ignored" in errors) == (False, False)
