"""`riqa run`: one chapter again, in a folder of its own."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from riqa.errors import InputError
from riqa.publish.content import read_json, tree_digests
from riqa.publish.layout import Build
from riqa.publish.rerun import claim_folder
from tests.publish.toy import make_repository

pytestmark = pytest.mark.book


def riqa(root, *arguments):
    command = [sys.executable, "-m", "riqa.cli", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A toy repository whose book is built."""
    root = make_repository(tmp_path_factory.mktemp("rerun") / "toy")
    assert riqa(root, "book", "--profile", "toy").returncode == 0
    return root


def test_a_chapter_runs_again_beside_the_build(built):
    build = Build(built, "toy")
    before = tree_digests(build.work)
    done = riqa(built, "run", "2", "--profile", "toy", "-p", "scale=5")
    assert done.returncode == 0, done.stderr
    folder = build.folder / "runs" / "02_scale_data-1"
    assert read_json(folder / "artifacts" / "results.json")[0]["value"] == 20
    page = (folder / "html" / "notebooks" / "02_scale_data.html").read_text()
    assert "<code" in page
    assert "5.0" in page
    assert "https://cdn" not in page
    assert sorted(p.name for p in folder.iterdir()) == ["02_scale_data.ipynb", "artifacts", "html"]
    assert tree_digests(build.work) == before
    assert "_build/toy/runs/02_scale_data-1/html/index.html" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["run", "02", "-p", "scal=5"],
            "no parameter 'scal' (did you mean scale?); it declares scale, work, out",
        ),
        (["run", "02", "-p", "scale=[1]"], "scale must be float"),
        (["run", "02", "-p", "scale"], "is not name=value"),
        (["run", "02", "-p", "out=x"], "--out"),
        (["run", "02_scal_data"], "did you mean 02_scale_data"),
        (["run", "02", "--out", "notebooks"], "is not empty"),
        (["run", "02", "--out", "Snakefile/x"], "Snakefile/x cannot be written (Not a directory)"),
        (["run", "02", "-p", "scale=.nan"], "02_scale_data: scale is nan, must be finite"),
        (["run", "02", "-p", "scale=1e400"], "02_scale_data: scale is inf, must be finite"),
        (["run", "04", "-p", "seeds=[]"], "04_sum_data: seeds is [], must hold 1 or more, each at least 0"),
        (["run", "04", "-p", "seeds=[-1]"], "04_sum_data: seeds is [-1], must hold 1 or more"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(built, arguments, complaint):
    done = riqa(built, *arguments, "--profile", "toy")
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("riqa: ")


def test_a_folder_that_may_not_be_written_is_one_line(built, tmp_path, without_roots_power):
    (tmp_path / "closed").mkdir(mode=0o555)
    for folder in (tmp_path / "closed", tmp_path / "closed" / "new"):
        command = [*without_roots_power, sys.executable, "-m", "riqa.cli", "run", "02", "--profile", "toy"]
        done = subprocess.run(
            [*command, "--out", folder], cwd=built, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert done.stderr.startswith(f"riqa: {folder} cannot be written (Permission denied); make room")
        assert done.stderr.count("\n") == 1


def test_two_runs_cannot_have_one_folder(built):
    command = [sys.executable, "-m", "riqa.cli", "run", "01", "--profile", "toy"]
    folder = built / "shared"
    first = subprocess.Popen([*command, "-p", "pause=60", "--out", folder], cwd=built)
    try:
        while not (folder / "progress.json").exists():
            assert first.poll() is None
            time.sleep(0.1)
        done = riqa(built, "run", "01", "--profile", "toy", "--out", "shared")
        assert done.returncode == 2
        assert "shared is not empty" in done.stderr
    finally:
        first.terminate()
        first.wait()
    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda _: riqa(built, "run", "01", "--profile", "toy"), range(2)))
    assert [run.returncode for run in runs] == [0, 0]
    made = {line.split()[1] for run in runs for line in run.stdout.splitlines() if line.startswith("Results")}
    assert made == {f"_build/toy/runs/01_make_data-{n}/artifacts/results.json" for n in (1, 2)}


def test_a_number_may_have_an_exponent(built):
    assert riqa(built, "run", "2", "--profile", "toy", "-p", "scale=5e-1", "--out", "half").returncode == 0
    assert read_json(built / "half" / "artifacts" / "results.json")[0]["value"] == 2.0


def test_what_was_not_built_is_named(built):
    (built / "profiles" / "fresh.yaml").write_text("description: not built\n")
    done = riqa(built, "run", "02", "--profile", "fresh")
    assert done.returncode == 2
    assert "needs 01_make_data" in done.stderr
    assert "make book PROFILE=fresh" in done.stderr


def test_claim_folder(tmp_path):
    assert claim_folder(tmp_path / "new" / "one").is_dir()
    claim_folder(tmp_path / "new" / "one")
    (tmp_path / "file").touch()
    for taken in (tmp_path / "new", tmp_path / "file"):
        with pytest.raises(InputError, match="is not empty"):
            claim_folder(taken)
