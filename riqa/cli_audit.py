"""What an audit found, for a reader at the terminal."""

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from riqa.data.audit import Report
from riqa.data.catalogue import ALL
from riqa.data.checks import class_counts
from riqa.data.findings import SEVERITIES, Finding
from riqa.data.store import Store
from riqa.names import shown

_STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}
_PLAIN = {"soft_wrap": True, "highlight": False, "markup": False, "emoji": False}
_SHOWN = 5  # items of a finding that are printed


def show_report(report: Report, console: Console) -> None:
    """Print counts by split and class beside the published ones, then every finding, the gravest last."""
    if report.parts:
        console.print(_counts(report))
        console.print()
    show_findings(report.findings, console)


def show_findings(findings: tuple[Finding, ...], console: Console) -> None:
    """Print findings, the gravest last, each with the first of its items."""
    for finding in sorted(findings, key=lambda one: SEVERITIES.index(one.severity)):
        line = Text.assemble((f"{finding.severity:7}", _STYLES[finding.severity]), f" {finding}")
        console.print(line, soft_wrap=True, highlight=False)
        if finding.items:
            more = f", ... ({len(finding.items)} in all)" if len(finding.items) > _SHOWN else ""
            line = ", ".join(finding.items[:_SHOWN]) + more
            console.print(f"{'':8}{line}", style="dim", **_PLAIN)


def _counts(report: Report) -> Table:
    """Lay out labels, images that are there, and published images, by split and class."""
    table = Table("split", "class", box=None, title=Text(shown(report.dataset)), title_justify="left")
    for name in ("labels", "images there", "published"):
        table.add_column(name, justify="right")
    for part in report.parts:
        rows = {name: n for name, n in part.labelled.items() if name != ALL} | {ALL: part.labelled[ALL]}
        label = part.name
        for name, n in rows.items():
            table.add_row(
                label, name, str(n), str(part.there.get(name, 0)), str(part.published.get(name, ""))
            )
            label = ""
    return table


def show_store(store: Store, findings: tuple[Finding, ...], console: Console) -> None:
    """Print where a store is, its images by split, why others were set aside, and the warnings."""
    console.print(
        f"{store.meta['n_images']} images of {store.images.shape[1]} pixels in {shown(store.root)}", **_PLAIN
    )
    console.print(class_counts(store.manifest, store.meta["n_classes"]).to_string(), **_PLAIN)
    aside = pd.read_csv(store.root / "set_aside.csv")
    console.print(f"set aside: {len(aside)} (named in {shown(store.root / 'set_aside.csv')})", **_PLAIN)
    for reason, n in aside["reason"].value_counts().items():
        console.print(f"  {n} {reason}", **_PLAIN)
    show_findings(
        tuple(one for one in findings if one.severity != "info" or one.code == "passed-over"), console
    )
