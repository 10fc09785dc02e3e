"""The commands for a reader's own data, fetch, check and curate, and what they print."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from riqa.names import shown
from riqa.terminal import console, json_text, stopping

app = typer.Typer()

_STYLES = {"info": "dim", "warning": "yellow", "error": "bold red"}  # of severities, the gravest last
_SHOWN = 5  # items of a finding that are printed

DatasetArgument = Annotated[
    str, typer.Argument(help="eyeq, eyeq_d, mshf, deepdrid, fives, or table: your own.")
]
RootOption = Annotated[Path, typer.Option(help="The dataset's folder, laid out as it is published.")]
JobsOption = Annotated[int, typer.Option(min=1, help="Processes side by side; results do not depend on it.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of splits that are not published.")]


@app.command()
def fetch(
    name: Annotated[str | None, typer.Argument(help="What to download; without it, a list.")] = None,
    to: Annotated[Path | None, typer.Option(help="Folder to put it into; by default data/NAME.")] = None,
) -> None:
    """Download what may be had without an account, each file checked against its checksum.

    What is there already is not downloaded again. Example: riqa fetch deepdrid --to data/deepdrid
    """
    from riqa.data.fetch import SOURCES
    from riqa.data.fetch import fetch as download

    if name is None:
        table = Table("name", "what it is", "size", "licence", box=None)
        for key, source in SOURCES.items():
            table.add_row(key, source.title, source.size, source.licence)
        console().print(table)
        return
    folder = to or Path("data") / ("eyeq" if name == "eyepacs" else name)
    with stopping("Nothing is left half-written; the same command starts again."):
        paths = download(name, folder)
    for line in (*paths, SOURCES[name].then.format(folder=folder)):
        console().print(shown(line), soft_wrap=True)


@app.command()
def check(
    dataset: DatasetArgument,
    root: RootOption,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if there is any warning.")] = False,
    no_images: Annotated[bool, typer.Option("--no-images", help="Labels only: open no image.")] = False,
    jobs: JobsOption = 1,
    seed: SeedOption = 0,
) -> None:
    """Compare a folder with what was published, and report every problem in it.

    Counts by split and class, reversed or flipped codes, patients and copies of images across splits, images
    that cannot be read, sizes. Exit codes: 0 usable, 1 usable with warnings under --strict, 2 not usable.

    Example: riqa check eyeq --root data/eyeq --jobs 2
    """
    from riqa.data.audit import audit

    with stopping("Nothing was changed."):
        report = audit(dataset, root, seed=seed, images=not no_images, jobs=jobs)
    if as_json:
        print(json_text(report.to_json(), indent=1))
    else:
        if report.parts:
            console().print(_counts(report), "")
        _show_findings(report.findings)
    if not report.usable:
        reason = [finding.message for finding in report.findings if finding.severity == "error"][-1]
        print(f"riqa: {dataset} is not usable: {reason}", file=sys.stderr)
    raise typer.Exit(report.status(strict))


@app.command()
def curate(
    dataset: DatasetArgument,
    root: RootOption,
    out: Annotated[Path, typer.Option(help="Folder for the store.")],
    size: Annotated[int, typer.Option(min=1, help="Side of the curated images, pixels.")],
    jobs: JobsOption = 1,
    seed: SeedOption = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse if a labelled image is missing.")] = False,
) -> None:
    """Find the field of view of every image, crop to it, and write the images into a store.

    Images without a field of view, or that cannot be read, are set aside with a reason. A stopped or killed
    run goes on where it was.

    Example: riqa curate eyeq --root data/eyeq --out stores/eyeq_256 --size 256 --jobs 2
    """
    import pandas as pd

    from riqa.data.adapters import load
    from riqa.data.curate import curate as curate_dataset
    from riqa.data.manifest import class_counts

    with stopping("What is done is kept; the same command goes on."):
        loaded = load(dataset, root, seed=seed, strict=strict)
        store = curate_dataset(loaded, out, size, workers=jobs)
    set_aside = store.root / "set_aside.csv"
    reasons = pd.read_csv(set_aside)["reason"].value_counts()
    for line in (
        f"{store.meta['n_images']} images of {store.images.shape[1]} pixels in {shown(store.root)}",
        class_counts(store.manifest, store.meta["n_classes"]).to_string(),
        f"set aside: {reasons.sum()} (named in {shown(set_aside)})",
        *(f"  {n} {reason}" for reason, n in reasons.items()),
    ):
        console().print(line, soft_wrap=True)
    _show_findings([one for one in loaded.findings if one.severity != "info" or one.code == "passed-over"])


def _counts(report) -> Table:
    """Lay out counts by split and class beside the published ones."""
    from riqa.data.catalogue import ALL

    table = Table("split", "class", box=None, title=Text(shown(report.dataset)), title_justify="left")
    for name in ("labels", "images there", "published"):
        table.add_column(name, justify="right")
    for part in report.parts:
        for k, name in enumerate(sorted(part.labelled, key=lambda name: name == ALL)):
            counts = (part.labelled[name], part.there.get(name, 0), part.published.get(name, ""))
            table.add_row("" if k else part.name, name, *map(str, counts))
    return table


def _show_findings(findings) -> None:
    """Print findings, the gravest last, each with the first of its items."""
    for finding in sorted(findings, key=lambda one: list(_STYLES).index(one.severity)):
        line = Text.assemble((f"{finding.severity:7}", _STYLES[finding.severity]), f" {finding.message}")
        console().print(line, soft_wrap=True)
        if finding.items:
            more = f", ... ({len(finding.items)} in all)" if len(finding.items) > _SHOWN else ""
            items = f"{'':8}{', '.join(finding.items[:_SHOWN])}{more}"
            console().print(items, style="dim", soft_wrap=True)
