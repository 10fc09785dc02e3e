"""One chapter, through papermill: a source notebook and parameters become an executed one and artifacts."""

import argparse
import errno
import hashlib
import json
import logging
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riqa.errors import InputError
from riqa.publish.content import file_digest, read_json, tree_digests, write_json, write_whole
from riqa.publish.executed import failure_block, without_figure
from riqa.publish.parameters import check_parameters, declared_parameters
from riqa.publish.progress import ProgressHandler
from riqa.publish.provenance import code_version, hardware, versions
from riqa.publish.watch import Watch

LISTING = "artifacts.json"
PATHS = ("notebook", "out", "executed", "log", "progress", "record")


class ChapterError(RuntimeError):
    """A chapter failed; the message is the whole block that a reader needs."""


@dataclass(frozen=True)
class ChapterRun:
    """One run of one chapter. Paths may be relative to the repository.

    Attributes:
        chapter: The chapter's name.
        root: The repository; the notebook runs with it as its current folder.
        notebook: The source notebook.
        parameters: Values for parameters that the notebook declares.
        out: The folder that receives the artifacts; replaced as a whole, and only by a run that ends well.
        executed: Where the executed notebook goes when the run ends well.
        log: Where the notebook is written while it runs; it stays there, with the traceback, when the run
            fails.
        progress: Where the run records how far it is.
        workers: How many processes the chapter may use side by side; never changes results.
        profile: The profile's name, for the page.
        data: What the numbers are based on, for the page.
        record: Where to keep what the run was made from. A later run that finds the same inputs, the same
            parameters and intact artifacts publishes those again instead of computing them. None: always
            compute.
        inputs: The files whose content, with the parameters, decides the outcome.
        fingerprint: Anything else that decides it, such as the digest of a data folder.
    """

    chapter: str
    root: Path
    notebook: Path
    parameters: Mapping[str, Any]
    out: Path
    executed: Path
    log: Path
    progress: Path
    workers: int = 1
    profile: str = ""
    data: str = ""
    record: Path | None = None
    inputs: tuple[Path, ...] = ()
    fingerprint: str = ""


def run_chapter(run: ChapterRun) -> None:
    """Run a chapter, or publish its last run again when nothing that decides the outcome has changed.

    Args:
        run: What to run, and where everything goes.

    Raises:
        InputError: If a parameter is not declared or has the wrong type, or the chapter itself refuses its
            input.
        ChapterError: If a cell fails for another reason, or the chapter ends without writing
            ``results.json`` or without the picture of a figure.
    """
    declared = declared_parameters(run.notebook)
    parameters = check_parameters(run.parameters, declared, run.chapter)
    cells = len(json.loads(run.notebook.read_text())["cells"]) + 1  # papermill adds one
    progress = ProgressHandler(run.progress, run.chapter, cells)
    previous = run.out.with_name(f".{run.out.name}.previous")
    try:
        if previous.exists():  # the last run was killed before it could put this back
            shutil.rmtree(run.out, ignore_errors=True)
            previous.rename(run.out)
        recipe = _recipe(run, parameters)
        if _publish_again(run, recipe):
            progress.write("unchanged")
            return
        if run.out.exists():
            run.out.rename(previous)
        try:
            run.out.mkdir(parents=True)
            facts = _execute(run, parameters, progress, _keep_checkpoints_of(run, recipe))
            _publish(run, recipe, facts)
        except BaseException:
            shutil.rmtree(run.out, ignore_errors=True)
            if previous.exists():
                previous.rename(run.out)
            raise
        shutil.rmtree(previous, ignore_errors=True)
        shutil.rmtree(_checkpoints(run), ignore_errors=True)
    except BaseException as error:
        expected = isinstance(error, (InputError, ChapterError))
        message = (
            str(error) if expected else f"{run.chapter} stopped by {type(error).__name__} {error}".rstrip()
        )
        progress.write("failed", message, isinstance(error, InputError))
        raise
    progress.write("done")


def _recipe(run: ChapterRun, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what decides the outcome of a run."""
    inputs = {os.path.relpath(path, run.root): file_digest(path) for path in run.inputs}
    return {"inputs": inputs, "parameters": dict(parameters), "fingerprint": run.fingerprint}


def _checkpoints(run: ChapterRun) -> Path:
    """Return the folder beside the artifacts in which an unfinished chapter keeps its training."""
    return run.out.with_name(f".{run.out.name}.checkpoints")


def _keep_checkpoints_of(run: ChapterRun, recipe: dict[str, Any]) -> Path:
    """Return the folder for checkpoints of this recipe, after deleting those of any other.

    A stopped chapter resumes its training only where notebook, modules, parameters and
    what it reads are the same.
    """
    text = json.dumps(recipe, sort_keys=True)
    own = _checkpoints(run) / hashlib.sha256(text.encode()).hexdigest()[:16]
    for other in _checkpoints(run).glob("*"):
        if other != own:
            shutil.rmtree(other)
    return own.resolve()


def _publish_again(run: ChapterRun, recipe: dict[str, Any]) -> bool:
    """Publish the last run's outcome again, if its recipe was the same and it is still whole."""
    if run.record is None:
        return False
    record = read_json(run.record)
    kept = run.record.with_suffix(".ipynb")
    if not record or record["recipe"] != recipe or not kept.is_file():
        return False
    if tree_digests(run.out, skip=[LISTING]) != record["artifacts"]:
        return False
    write_whole(run.executed, kept.read_bytes())
    write_json(run.out / LISTING, record["artifacts"])
    return True


def _publish(run: ChapterRun, recipe: dict[str, Any], facts: dict[str, Any]) -> None:
    """Put the executed notebook, with the facts of its run, and the list of artifacts in their places."""
    if not (run.out / "results.json").is_file():
        raise ChapterError(f"{run.chapter} ended without writing {run.out / 'results.json'}")
    document = json.loads(run.log.read_text())
    if empty := without_figure(document):
        raise ChapterError(
            f"{run.chapter}: no picture is left of what its cell {empty[0]!r} drew; see {run.log}"
        )
    document["metadata"]["riqa"] = facts
    executed = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    artifacts = tree_digests(run.out, skip=[LISTING])
    if run.record is not None:
        write_whole(run.record.with_suffix(".ipynb"), executed)
        write_json(run.record, {"recipe": recipe, "artifacts": artifacts, "facts": facts})
    write_whole(run.executed, executed)
    write_json(run.out / LISTING, artifacts)


def _execute(
    run: ChapterRun, parameters: dict[str, Any], progress: ProgressHandler, checkpoints: Path
) -> dict[str, Any]:
    """Execute the notebook into its log.

    Returns:
        The facts of the run, for the page: profile, data, seeds, hardware, versions, code, duration, peak
        memory.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from riqa.publish.kernel import kernel_environment, kernel_options

    run.log.parent.mkdir(parents=True, exist_ok=True)
    started = time.time()
    build_pid = os.environ.get("RIQA_BUILD_PID")
    with (
        kernel_environment(run.workers, checkpoints),
        _listening(progress),
        Watch(int(build_pid) if build_pid else None) as watch,
    ):
        try:
            papermill.execute_notebook(
                *(str(path).replace("{", "{{").replace("}", "}}") for path in (run.notebook, run.log)),
                parameters,
                cwd=str(run.root),
                progress_bar=False,
                log_output=True,
                **kernel_options(),
            )
        except PapermillExecutionError as error:
            raise _explain(run, error) from None
    return {
        "profile": run.profile,
        "data": run.data,
        "seeds": _seeds(run, parameters),
        "hardware": hardware(),
        "versions": versions(),
        "code": code_version(run.root),
        "date": time.strftime("%Y-%m-%d", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
        "peak_memory_mb": round(watch.peak_bytes / 1e6),
        "workers": run.workers,
    }


def _seeds(run: ChapterRun, parameters: Mapping[str, Any]) -> list[int]:
    """Collect the seeds of a page: its own, and those that its results are means over."""
    defaults = {name: item.default for name, item in declared_parameters(run.notebook).items()}
    own = [(defaults | parameters).get(name, []) for name in ("seed", "seeds")]
    of_results = [row.get("seeds", []) for row in read_json(run.out / "results.json") or []]
    return sorted(
        {seed for seeds in [*own, *of_results] for seed in (seeds if isinstance(seeds, list) else [seeds])}
    )


def _explain(run: ChapterRun, error: Any) -> Exception:
    """Turn papermill's error into one line for bad input or a full disk, else into a block."""
    if error.ename == "InputError":
        return InputError(error.evalue)
    if re.match(rf"\[Errno ({errno.ENOSPC}|{errno.EDQUOT})\] ", error.evalue):
        return InputError(f"{run.chapter}: {error.evalue}; make room, and run it again")
    return ChapterError(failure_block(run.chapter, error, run.root, run.notebook, run.log))


@contextmanager
def _listening(progress: ProgressHandler) -> Iterator[None]:
    """Let the progress follow papermill's log."""
    logger = logging.getLogger("papermill")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(progress)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(progress)
        logger.setLevel(level)
        logger.propagate = propagate


def main(arguments: list[str]) -> int:
    """Run one chapter as a process of its own: ``python -m riqa.publish.run RUN --workers N --inputs ...``.

    RUN is a JSON object with the fields of `ChapterRun`; paths are relative to the repository, which is the
    current folder.

    Returns:
        0 when the chapter ended well, 1 when it failed, 2 when its input cannot be used, 130 when it was
        stopped.
    """
    parser = argparse.ArgumentParser(prog="python -m riqa.publish.run", description=__doc__)
    parser.add_argument("run", type=json.loads)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--inputs", nargs="*", default=[])
    given = parser.parse_args(arguments)
    root = Path.cwd()
    paths = {name: root / given.run.pop(name) for name in PATHS if name in given.run}
    inputs = tuple(root / path for path in given.inputs)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        run_chapter(ChapterRun(root=root, workers=given.workers, inputs=inputs, **given.run, **paths))
    except (InputError, ChapterError) as error:
        print(f"riqa: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
