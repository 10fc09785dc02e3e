import numpy as np

from riqa.report.literature import (
    binary_matrices,
    by_class_for_page,
    by_class_table,
    literature,
    literature_for_page,
)
from riqa.report.results import record


def test_every_row_of_table_2_is_there_as_printed():
    table = literature()
    assert len(table) == 20
    assert table["f1"].tolist()[:3] == [0.699, 0.748, 0.855]
    assert table["f1"].tolist()[-3:] == [0.742, 0.763, 0.778]
    assert np.isnan(table["accuracy"][0])
    page = literature_for_page(table, "Table 2").to_html()
    assert "<b>impossible</b>: its precision" in page
    assert page.count("0.970") == 1


def test_table_3_is_printed_recomputed_and_ours():
    keys = ("f1.reject", "f1.usable", "f1.good", "macro_f1")
    names = [("eyeq_test", "quickqual"), ("phantom", "multi_task")]
    results = {
        f"overall.{d}.{m}.{key}": record("x", k / 10 + 0.1 * i)
        for i, (d, m) in enumerate(names)
        for k, key in enumerate(keys)
    }
    table = by_class_table(results, names[1:], "eyeq_test")
    assert table["source"].tolist() == ["printed"] * 4 + ["recomputed", "phantom"]
    assert table["method"].tolist()[:4] == ["MCF", "QuickQual", "ST-EyeQ", "MT-EyeQ"]
    printed = table[table["method"] == "QuickQual"].iloc[0]
    assert printed[["reject", "usable", "good"]].tolist() == [0.880, 0.786, 0.937]
    np.testing.assert_allclose(table.iloc[-1][["reject", "macro_f1"]].astype(float), [0.1, 0.4])
    assert len(by_class_table(results, names[1:])) == 5
    assert "–" in by_class_for_page(table, "Table 3").to_html()


def test_the_matrices_of_table_2_give_its_recalls():
    matrices = binary_matrices()
    assert list(matrices) == ["QuickQual", "single_task", "multi_task"]
    np.testing.assert_allclose(matrices["multi_task"], [[186 / 220, 34 / 220], [72 / 180, 108 / 180]])
    assert abs(matrices["single_task"][0, 0] - 0.782) < 0.0005
