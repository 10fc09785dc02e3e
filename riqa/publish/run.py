"""One chapter, through papermill: a source notebook and parameters become an executed one and artifacts."""

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riqa.errors import BuildError, InputError
from riqa.files import file_digest, read_json, tree_digests, write_json, write_whole
from riqa.publish.forks import VARIABLE, ForkedKernel
from riqa.publish.layout import PLACES
from riqa.publish.parameters import check_parameters, declared_parameters
from riqa.publish.plan import all_values
from riqa.publish.processes import watching
from riqa.publish.profiles import as_list
from riqa.publish.progress import ProgressHandler
from riqa.publish.provenance import code_version, hardware, versions
from riqa.terminal import interrupt_when_terminated

LISTING = "artifacts.json"


@dataclass(frozen=True)
class ChapterRun:
    """One run of one chapter; the current folder is the repository's."""

    notebook: Path
    out: Path  # receives the artifacts; replaced as a whole, and only by a run that ends well
    executed: Path  # where the executed notebook goes when the run ends well
    log: Path  # where it is written meanwhile; it stays there, with the traceback, when the run fails
    progress: Path  # where the run records how far it is
    record: Path  # what the last finished run was made from; beside it, its executed notebook
    parameters: Mapping[str, Any]  # values for parameters that the notebook declares
    profile: str = ""  # its name, for the page
    data: str = ""  # what the numbers are based on, for the page
    fingerprint: str = ""  # what else decides the outcome, such as the digest of a data folder
    inputs: tuple[Path, ...] = ()  # files whose content, with parameters and fingerprint, decides it
    workers: int = 1  # processes that the chapter may use side by side; never changes results

    def beside(self, name: str) -> Path:
        """Return a hidden folder beside the artifacts."""
        return self.out.with_name(f".{self.out.name}.{name}")


def run_chapter(run: ChapterRun) -> None:
    """Run a chapter, or publish its last run again when nothing that decides the outcome has changed.

    Raises an InputError if a parameter is not declared or not legal, or the chapter itself refuses its input;
    a BuildError if a cell fails for another reason, or `results.json` or the picture of a figure is missing.
    """
    chapter, declared = run.notebook.stem, declared_parameters(run.notebook)
    parameters = check_parameters(run.parameters, declared, chapter)
    cells = len(json.loads(run.notebook.read_text())["cells"]) + 1  # papermill adds one
    progress = ProgressHandler(run.progress, cells)
    try:
        if run.beside("previous").exists():  # the last run was killed before it could put this back
            _put_back(run)
        inputs = {os.path.relpath(path): file_digest(path) for path in run.inputs}
        recipe = {"inputs": inputs, "parameters": parameters, "fingerprint": run.fingerprint}
        unchanged = _publish_again(run, recipe)
        if not unchanged:
            with _made_anew(run):
                _compute(run, recipe, all_values(declared, parameters), progress)
    except BaseException as error:
        expected = isinstance(error, InputError | BuildError)
        told = str(error) if expected else f"{chapter} stopped by {type(error).__name__} {error}".rstrip()
        progress.write(state="failed", error=told, user_error=isinstance(error, InputError))
        raise
    progress.write(state="unchanged" if unchanged else "done")


def _publish_again(run: ChapterRun, recipe: Mapping[str, Any]) -> bool:
    """Publish the last run's outcome again, if its recipe was the same and it is still whole."""
    record, executed = read_json(run.record), run.record.with_suffix(".ipynb")
    if not record or record["recipe"] != recipe or not executed.is_file():
        return False
    if tree_digests(run.out, skip=LISTING) != record["artifacts"]:
        return False
    write_whole(run.executed, executed.read_bytes())
    write_json(run.out / LISTING, record["artifacts"])
    return True


@contextmanager
def _made_anew(run: ChapterRun) -> Iterator[None]:
    """Empty the folder of artifacts; put the last ones back if the block does not end well."""
    if run.out.exists():
        run.out.rename(run.beside("previous"))
    try:
        run.out.mkdir(parents=True)
        yield
    except BaseException:
        _put_back(run)
        raise
    for leftover in ("previous", "checkpoints"):
        shutil.rmtree(run.beside(leftover), ignore_errors=True)


def _put_back(run: ChapterRun) -> None:
    """Put the artifacts of the last finished run, if there are any, in the place of unfinished ones."""
    shutil.rmtree(run.out, ignore_errors=True)
    if run.beside("previous").exists():
        run.beside("previous").rename(run.out)


def _compute(
    run: ChapterRun, recipe: dict[str, Any], values: Mapping[str, Any], progress: ProgressHandler
) -> None:
    """Execute the notebook; put it, with the facts of its run, and the list of artifacts in their places."""
    from riqa.publish.kernel import execute, kernel_environment  # only now: a second, and not for a rerun

    started, needed = time.time(), map(int, os.environ.get("RIQA_BUILD_PID", "").split())
    with kernel_environment(run.workers, _own_checkpoints(run, recipe)):
        forked = ForkedKernel() if VARIABLE in os.environ else None  # before there is a thread that watches
        with watching(*needed) as seen:
            document = execute(run.notebook, run.log, recipe["parameters"], progress, forked)
    results = read_json(run.out / "results.json")
    if results is None:
        raise BuildError(f"{run.notebook.stem} ended without writing {run.out / 'results.json'}")
    # Those of the chapter, and those that its results are means over.
    seeds = [values.get("seed", []), values.get("seeds", []), *(row.get("seeds", []) for row in results)]
    facts = {
        "profile": run.profile,
        "data": run.data,
        "seeds": sorted({seed for some in seeds for seed in as_list(some)}),
        "hardware": hardware(),
        "versions": versions(),
        "code": code_version(Path.cwd()),
        "date": time.strftime("%Y-%m-%d", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
        "peak_memory_mb": round(seen.peak_bytes / 1e6),
        "workers": run.workers,
    }
    document["metadata"]["riqa"] = facts
    executed = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    artifacts = tree_digests(run.out, skip=LISTING)
    write_whole(run.record.with_suffix(".ipynb"), executed)
    write_json(run.record, {"recipe": recipe, "artifacts": artifacts, "facts": facts})
    write_whole(run.executed, executed)
    write_json(run.out / LISTING, artifacts)


def _own_checkpoints(run: ChapterRun, recipe: Mapping[str, Any]) -> Path:
    """Return the folder in which an unfinished chapter keeps its training, after deleting other recipes'.

    So a stopped chapter resumes its training only where all that decides its outcome is the same.
    """
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
    own = run.beside("checkpoints") / digest[:16]
    for other in {*own.parent.glob("*")} - {own}:
        shutil.rmtree(other)
    return own.resolve()


def main(arguments: list[str]) -> int:
    """Run one chapter as a process of its own: `python -m riqa.publish.run RUN --workers N --inputs ...`.

    RUN is a JSON object with the fields of `ChapterRun`; paths are relative to the current folder. Returns 0
    when the chapter ended well, 1 when it failed, 2 when its input cannot be used, 130 when it was stopped.
    """
    parser = argparse.ArgumentParser(prog="python -m riqa.publish.run", description=__doc__)
    parser.add_argument("run", type=json.loads)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--inputs", nargs="*", type=Path.cwd().joinpath, default=[])
    given = parser.parse_args(arguments)
    paths = {place: Path.cwd() / given.run[place] for place in PLACES}
    run = ChapterRun(**given.run | paths, inputs=tuple(given.inputs), workers=given.workers)
    interrupt_when_terminated()
    try:
        run_chapter(run)
    except (InputError, BuildError) as error:
        print(f"riqa: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
