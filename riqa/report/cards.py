"""Cards: what a dataset is, where it comes from, and how much of it is here."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from pandas.io.formats.style import Styler

from riqa.data import deepdrid, eyeq, eyeq_d, fives, mshf
from riqa.data.checks import class_counts
from riqa.data.manifest import Dataset
from riqa.report.tables import page_table


@dataclass(frozen=True)
class Card:
    """What a reader should know of a dataset before any number about it.

    Attributes:
        title: Name for readers.
        photographs: Who took them, of whom, why.
        cameras: What they were taken with.
        labels: Who said what about them.
        published: Published counts, split -> class or `all` -> images (see `Catalogue.published`); empty for
            sets that are made here.
    """

    title: str
    photographs: str
    cameras: str
    labels: str
    published: Mapping[str, Mapping[str, int]]


_DRAWN = "drawn by this book, no patient's data"
_EYEPACS = "diabetic retinopathy screening (EyePACS), one photograph an eye"

CARDS = {
    "mshf": Card(
        "MSHF",
        "four hospitals and portable cameras in China; healthy, diabetic retinopathy, glaucoma",
        mshf.CAMERAS,
        "three readers, agreed: illumination, clarity, contrast, overall (2 classes)",
        mshf.PUBLISHED,
    ),
    "eyeq": Card("EyeQ", _EYEPACS, eyeq.CAMERAS, "two experts: overall (3 classes)", eyeq.PUBLISHED),
    "eyeq_d": Card(
        "EyeQ-D", _EYEPACS, eyeq.CAMERAS, "majority of eight experts: the three details", eyeq_d.PUBLISHED
    ),
    "deepdrid": Card(
        "DeepDRiD",
        "diabetic retinopathy screening in Shanghai, two photographs an eye",
        deepdrid.CAMERAS,
        "overall (2 classes), one label an eye",
        deepdrid.PUBLISHED,
    ),
    "fives": Card(
        "FIVES",
        "an eye hospital in China; healthy, macular degeneration, diabetic retinopathy, glaucoma",
        fives.CAMERAS,
        "one verdict an image, it is not said by whom: the three details",
        fives.PUBLISHED,
    ),
    "phantom_details": Card(
        "phantom: details", _DRAWN, "", "majority of simulated experts: the three details", {}
    ),
    "phantom_grades": Card("phantom: grades", _DRAWN, "", "simulated graders: overall (3 classes)", {}),
    "phantom_eyes": Card(
        "phantom: eyes",
        _DRAWN + ", two photographs an eye",
        "",
        "simulated graders: overall (2 classes), one label an eye",
        {},
    ),
    "phantom_observers": Card(
        "phantom: observers", _DRAWN, "", "eight simulated experts, some asked twice; overall (3 classes)", {}
    ),
    "simulated_details": Card(
        "simulated details",
        "good photographs of EyeQ, spoilt here by known defects",
        eyeq.CAMERAS,
        "majority of simulated experts: the three details",
        {},
    ),
}

STANDS_FOR = {
    "phantom_details": "mshf",
    "simulated_details": "mshf",
    "phantom_grades": "eyeq",
    "phantom_eyes": "deepdrid",
    "phantom_observers": "eyeq_d",
}
"""Sets that are made here -> the set of the paper whose part they play."""


def cards_for_page(datasets: Mapping[str, Dataset], roles: Mapping[str, str]) -> Styler:
    """Lay out the cards of some datasets, a column a set.

    Args:
        datasets: Name of a set -> the set.
        roles: Name of a set -> its role in the chapters.
    """
    columns = {}
    for name, dataset in datasets.items():
        card = CARDS.get(dataset.name, Card(dataset.name, "a reader's own", "", "see its dataset.yaml", {}))
        sources = ", ".join(sorted(dataset.manifest["source"].unique())).replace("_", " ")
        columns[card.title] = {
            "role": roles[name],
            "photographs": card.photographs,
            "cameras": card.cameras or sources,
            "labels": card.labels,
            "licence": dataset.licence,
            "source": dataset.citation,
        }
    return page_table(pd.DataFrame(columns), "The datasets of this build")


def counts_beside_paper(datasets: Mapping[str, Dataset]) -> pd.DataFrame:
    """Compare the numbers of images with those of the paper's sets.

    Validation images are counted with those for training, out of which they were taken, unless the publisher
    has a validation set.

    Args:
        datasets: Name of a set -> the set.

    Returns:
        A row a set, split and class (or `all`): set, split, class, here, paper_set, paper (NaN where nothing
        is published).
    """
    rows = []
    for dataset in datasets.values():
        paper_set = STANDS_FOR.get(dataset.name, dataset.name)
        published = CARDS[paper_set].published if paper_set in CARDS else {}
        manifest = dataset.manifest
        if "val" not in published:
            manifest = manifest.assign(split=manifest["split"].replace("val", "train"))
        for split, counts in class_counts(manifest, dataset.n_classes).iterrows():
            for label, here in counts.items():
                rows.append(
                    {
                        "set": dataset.name,
                        "split": split,
                        "class": label,
                        "here": here,
                        "paper_set": CARDS[paper_set].title if paper_set in CARDS else "",
                        "paper": published.get(split, {}).get(label, float("nan")),
                    }
                )
    return pd.DataFrame(rows)


def counts_for_page(counts: pd.DataFrame) -> Styler:
    """Show `counts_beside_paper`: a row a set and split, a column a class, the paper's number beneath."""

    def cell(row) -> str:
        paper = "" if pd.isna(row.paper) else f"<br><small>{row.paper_set}: {row.paper:,.0f}</small>"
        return f"{row.here:,}{paper}"

    cells = counts.assign(
        cell=[cell(row) for row in counts.itertuples()],
        row=counts["set"].str.replace("_", " ") + ", " + counts["split"],
        label=counts["class"].replace("all", "images"),
    )
    wide = cells.pivot(index="row", columns="label", values="cell").fillna("")
    labels = [label for label in ("images", "reject", "bad", "usable", "good") if label in wide]
    return page_table(
        wide.loc[list(dict.fromkeys(cells["row"])), labels], "Images here, and in the published set"
    )
