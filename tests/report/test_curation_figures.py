import numpy as np
import pandas as pd

from riqa.data.checks import class_counts
from riqa.data.curate import field_numbers
from riqa.data.fov import crop_to_fov, find_fov
from riqa.labels import DETAILS
from riqa.report.curation_figures import (
    class_balance,
    details_by_overall_class,
    fields_and_crops,
    framing_curves,
)
from tests.data.photographs import disc, manifest


def test_outline_lies_on_the_field():
    image, _ = disc()
    fov = find_fov(image)
    fields = pd.DataFrame([field_numbers(fov)])
    crops = {"ours": [crop_to_fov(image, fov, 32)], "peer": [None]}
    figure = fields_and_crops([image], fields, crops, title="t")
    x, y = figure.axes[0].lines[0].get_data()
    assert np.allclose(np.hypot(x - fov.center[0], y - fov.center[1]), fov.radius)
    assert figure.axes[0].get_title() == f"score {fov.score:.2f}"
    assert figure.axes[1].images[0].get_array().shape == (32, 32, 3)
    assert [text.get_text() for text in figure.axes[2].texts] == ["nothing\nfound", "peer"]


def test_bars_of_a_split_add_up_to_one():
    counts = {"x": class_counts(manifest(9, splits=("train", "test")), 3)}
    axis = class_balance(counts).axes[0]
    heights = np.array([[bar.get_height() for bar in bars] for bars in axis.containers])
    assert np.allclose(heights.sum(axis=0), 1)
    assert [text.get_text() for text in axis.get_xticklabels()] == ["train\n5", "test\n4"]


def test_share_of_good_details_in_each_class():
    frame = manifest(6, overall=[0, 0, 1, 1, 2, 2.0], clarity=[0, 1, 0, 0, 1, 1.0])
    axis = details_by_overall_class(frame, 3).axes[0]
    clarity = next(bars for bars in axis.containers if bars.get_label() == "clarity")
    assert [bar.get_height() for bar in clarity] == [0.5, 0, 1]


def test_curves_of_crop_and_whole_photograph_are_told_apart():
    rows = [
        {"detail": detail, "framing": framing, "size": size, "value": value, "low": 0.4, "high": 0.9}
        for detail in DETAILS
        for framing, values in (("crop", (0.6, 0.8)), ("whole", (0.5, 0.7)))
        for size, value in zip((32, 16), reversed(values), strict=True)
    ]
    axis = framing_curves(pd.DataFrame(rows)).axes[DETAILS.index("clarity")]
    lines = {line.get_linestyle(): line.get_ydata().tolist() for line in axis.lines[:2]}
    assert lines == {"-": [0.6, 0.8], "--": [0.5, 0.7]}
    assert [text.get_text() for text in axis.get_xticklabels()] == ["16", "32"]
