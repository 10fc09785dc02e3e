"""Records of explanations: means over images and seeds, paired differences, sentences, tables."""

import numpy as np
import pandas as pd
import pytest

from riqa.report.explanations_results import (
    above_chance,
    cell,
    chance_sentence,
    difference_records,
    mean_records,
    record_table,
    sentence,
    similarity_frame,
)
from riqa.report.results import record


def rows(seed=0, n_patients=20, seeds=(0, 1), shift=0.0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        [(f"i{p}-{k}", f"p{p}", s) for s in seeds for p in range(n_patients) for k in range(2)],
        columns=["image_id", "patient_id", "seed"],
    )
    return frame.assign(energy=rng.random(len(frame)) + shift, pointing=rng.random(len(frame)))


def test_means_are_over_images_then_seeds_and_leave_out_what_is_missing():
    table = rows()
    table.loc[(table["seed"] == 0) & (table.index < 10), "energy"] = np.nan
    energy, pointing = mean_records(table, "explanations.x.m", ["energy", "pointing"], 200)
    assert energy.name == "explanations.x.m.energy"
    assert energy.value == pytest.approx(table.groupby("seed")["energy"].mean().mean())
    assert pointing.value == pytest.approx(table["pointing"].mean())
    assert energy.low < energy.value < energy.high
    assert (energy.n, energy.seeds) == (40, (0, 1))


def test_the_interval_of_independent_images_is_that_of_the_central_limit():
    table = rows(n_patients=400, seeds=(0,))
    (energy,) = mean_records(table, "x.y.z", ["energy"], 2_000)
    assert (energy.high - energy.low) == pytest.approx(2 * 1.96 * table["energy"].std() / 800**0.5, rel=0.1)


def test_confidence_and_replicates_are_alive():
    (wide,), (narrow,) = (mean_records(rows(), "x.y.z", ["energy"], 500, c) for c in (0.99, 0.5))
    assert narrow.high - narrow.low < wide.high - wide.low
    (few,) = mean_records(rows(), "x.y.z", ["energy"], 50, 0.99)
    assert few.high != wide.high


def test_differences_are_paired():
    table = rows()
    better = table.assign(energy=table["energy"] + 0.1)
    (found,) = difference_records(better, table.sample(frac=1, random_state=1), "x.y.a-b", ["energy"], 200)
    assert [found.value, found.low, found.high] == pytest.approx([0.1] * 3)
    with pytest.raises(ValueError, match="same images"):
        difference_records(better[better["patient_id"] != "p0"], table, "x.y.a-b", ["energy"], 200)


def test_no_value_gives_no_interval():
    table = rows().assign(energy=np.nan)
    (found,) = mean_records(table, "x.y.z", ["energy"], 50)
    assert (found.value, found.low, found.high, found.n) == (None, None, None, 0)
    assert cell(found) == "–"
    assert "nothing can be said" in sentence(found, "Energy", "A", "B")
    assert "nothing can be said" in chance_sentence(found, "Energy")


def number(value, low, high, name="explanations.s.a-b.energy"):
    return record(name, value, low=low, high=high, n=7)


def test_sentences_say_what_the_interval_allows():
    assert sentence(number(0.1, 0.05, 0.2), "Energy", "A", "B").startswith("Energy: larger for A (+0.100")
    assert sentence(number(-0.1, -0.2, -0.05), "Energy", "A", "B").startswith("Energy: larger for B (-0.100")
    assert "cannot be told apart" in sentence(number(0.1, -0.05, 0.2), "Energy", "A", "B")
    assert chance_sentence(number(0.1, 0.05, 0.2), "It").startswith("It is above chance (")
    assert chance_sentence(number(-0.1, -0.2, -0.05), "It").startswith("It is below chance (")
    assert "cannot be told from chance" in chance_sentence(number(0.1, 0.0, 0.2), "It")


def test_counting_what_is_above_chance():
    found = {"a": number(0.1, 0.05, 0.2), "b": number(0.1, -0.05, 0.2), "c": number(None, None, None)}
    assert above_chance(found, ["a", "b", "c", "d"]) == (1, 2)


def test_a_table_shows_its_own_set_and_no_other():
    results = [
        record("explanations.one.single_task.overall.any.energy", 0.111, low=0.1, high=0.2),
        record("explanations.one.single_task.overall.any.iou_0.5", 0.222, low=0.1, high=0.3),
        record("explanations.two.single_task.overall.any.energy", 0.333, low=0.3, high=0.4),
        record("explanations.one.single_task.overall.dust.energy", 0.444, low=0.3, high=0.5),
        record("explanations.one.multi_task-single_task.overall.any.energy", 0.05, low=-0.1, high=0.2),
    ]
    models = ["single_task", "multi_task-single_task"]
    shown = record_table(results, "one", "a caption", models, "overall.any").to_html()
    assert "0.111" in shown
    assert "0.222" in shown
    assert "+0.050" in shown
    assert "0.333" not in shown
    assert "0.444" not in shown
    assert "Multi-task minus Single-task" in shown


def test_similarities_are_collected_in_order():
    results = {
        f"explanations.s.{model}.{kind}": record(f"explanations.s.{model}.{kind}", 0.5, low=low, high=0.6)
        for model, kind, low in (("single_task", "k", 0.4), ("multi_task", "k", None))
    }
    frame = similarity_frame(results, ["s"], {"k": "words"}, ["single_task", "multi_task"])
    assert frame.to_dict("records") == [
        {"set": "s", "label": "Single-task, words", "value": 0.5, "low": 0.4, "high": 0.6}
    ]
