import numpy as np
import pandas as pd

from riqa.data.catalogue import Catalogue, to_dataset
from riqa.data.findings import Finding
from tests.data.expect import refused
from tests.data.photographs import manifest


def catalogue(root, **changes):
    """Return 12 images, one of which is missing, in three splits, with a reader's scores."""
    table = manifest().assign(further=1)
    table.loc[5, "path"] = None
    ratings = pd.DataFrame({"image_id": table["image_id"], "rater": "a", "item": "overall", "score": 1})
    values = {"name": "x", "root": root, "table": table, "n_classes": 3, "citation": "c", "licence": "l"}
    return Catalogue(**(values | {"ratings": ratings.assign(session=1)} | changes))


def test_images_that_are_there_are_kept_with_their_ratings(tmp_path):
    findings = (Finding("f", "warning", "odd"),)
    dataset = to_dataset(catalogue(tmp_path, findings=findings))
    assert dataset.manifest["image_id"].tolist() == [f"i{k}" for k in range(12) if k != 5]
    assert dataset.ratings["image_id"].tolist() == dataset.manifest["image_id"].tolist()
    assert (dataset.name, dataset.root, dataset.n_classes) == ("x", tmp_path, 3)
    assert (dataset.citation, dataset.licence, dataset.findings) == ("c", "l", findings)
    table = manifest().drop(columns=["overall", "contrast"])
    dataset = to_dataset(catalogue(tmp_path, ratings=None, table=table, n_classes=None), strict=True)
    assert dataset.ratings is None
    assert np.isnan(dataset.manifest[["overall", "contrast"]].to_numpy()).all()


def test_what_could_not_be_trusted_is_refused(tmp_path):
    with refused("1 of 12 labelled images are missing, e.g. i5; ", "--strict"):
        to_dataset(catalogue(tmp_path), strict=True)
    findings = (Finding("w", "warning", "odd"), Finding("e", "error", "labels are upside down"))
    with refused("labels are upside down"):
        to_dataset(catalogue(tmp_path, findings=findings))
    with refused("holds none of the 12 labelled images"):
        to_dataset(catalogue(tmp_path, table=manifest(path=None)))
    table = manifest()
    table.loc[table["split"] == "val", "path"] = None
    with refused("the val split would be empty, as none of its 4 images is there"):
        to_dataset(catalogue(tmp_path, table=table))
    # A set without a val split at all, such as one for testing only, is none of that.
    to_dataset(catalogue(tmp_path, table=table[table["split"] == "test"]))
