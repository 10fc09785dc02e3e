import logging

from riqa.publish.progress import ProgressHandler, read_progress


def say(handler, message, level=logging.INFO):
    handler.handle(logging.LogRecord("papermill", level, "", 0, message, (), None))


def test_the_file_follows_papermills_log(tmp_path):
    path = tmp_path / "p" / "05.json"
    handler = ProgressHandler(path, "05", cells=9)
    assert (read_progress(path).state, read_progress(path).cell) == ("running", 0)
    say(handler, "Executing Cell 3---------------------------------------")
    handler._written = 0
    say(handler, "\rtraining:  10%|#   | 1/10\rtraining:  20%|##  | 2/10\r\n", logging.WARNING)
    told = read_progress(path)
    assert (told.cell, told.cells, told.line) == (3, 9, "training:  20%|##  | 2/10")
    say(handler, "Ending Cell 3------------------------------------------")
    assert read_progress(path).line.startswith("training")
    say(handler, "Executing Cell 4---------------------------------------")
    assert (read_progress(path).cell, read_progress(path).line) == (4, "")


def test_the_end_is_told_with_its_time_and_its_error(tmp_path):
    path = tmp_path / "05.json"
    handler = ProgressHandler(path, "05", cells=2)
    handler.started -= 10
    handler.write("failed", "why", user_error=True)
    told = read_progress(path)
    assert told.state == "failed"
    assert told.error == "why"
    assert told.user_error
    assert 10 <= told.seconds < 12


def test_a_fast_stream_is_not_written_line_by_line(tmp_path):
    path = tmp_path / "05.json"
    handler = ProgressHandler(path, "05", cells=2)
    for number in range(50):
        say(handler, f"line {number}\n")
    assert read_progress(path).line == ""
    assert handler.line == "line 49"


def test_no_progress_yet(tmp_path):
    assert read_progress(tmp_path / "none.json") is None
