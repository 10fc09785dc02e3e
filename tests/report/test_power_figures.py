import pandas as pd
from matplotlib import pyplot as plt

from riqa.report.power_figures import power_curves


def test_a_line_a_size_and_the_marks():
    curves = pd.DataFrame(
        {"difference": [0, 0.1] * 2, "power": [0, 0.5, 0, 0.9], "n_images": [160, 160, 800, 800]}
    )
    axis = power_curves(curves, observed=-0.03).axes[0]
    labels = [line.get_label() for line in axis.lines]
    assert labels[:2] == ["160 images", "800 images"]
    assert axis.lines[1].get_ydata().tolist() == [0, 0.9]
    assert axis.lines[2].get_ydata()[0] == 0.8
    assert axis.lines[3].get_xdata()[0] == 0.03
    plt.close("all")
