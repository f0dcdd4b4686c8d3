import numpy as np
import pytest

from pyg_prosampler.figures import (
    draw_false_negatives,
    draw_positions,
    draw_similarities,
)


def lines_of(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def test_false_negatives_are_means_over_seeds():
    data = {
        "floor": 0.5,
        "num_warmup": 1,
        "rates": {"uniform": np.array([[0.5, 0.4]]),
                  "knn": np.array([[0.5, 0.6], [0.7, 0.9]])},
    }  # fmt: skip
    (ax,) = draw_false_negatives(data, "MUTAG").axes
    lines = lines_of(ax)
    assert lines["knn"].get_xdata().tolist() == [1, 2]
    assert lines["knn"].get_ydata() == pytest.approx([0.6, 0.75])
    assert lines["uniform"].get_ydata() == pytest.approx([0.5, 0.4])
    assert lines["uniform floor (50.0%)"].get_ydata() == [0.5, 0.5]
    (band,) = ax.collections  # One seed has no band.
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((0.5, 0.9))
    assert ax.get_title() == "MUTAG"
    assert ax.get_xlabel() == "training epoch"
    assert "of the same class" in ax.get_ylabel()


def test_false_negatives_without_floor_and_warmup():
    rates = {"knn": np.array([[0.5, 0.6]])}
    data = {"floor": None, "num_warmup": 0, "rates": rates}
    (ax,) = draw_false_negatives(data, "MUTAG").axes
    assert list(lines_of(ax)) == ["knn"]
    assert not ax.patches


def batches():
    rng = np.random.default_rng(0)
    return {
        "floor": 0.25,
        "pairs": {"uniform": rng.random(99), "mine": rng.random(98) ** 0.5},
        "by_position": {
            "uniform": np.array([[0.25, 0.3], [0.25, 0.1]]),
            "mine": np.array([[0.5, 0.7], [0.6, 0.9]]),
        },
    }


def test_similarities_show_quartiles():
    data = batches()
    (ax,) = draw_similarities(data, "MUTAG").axes
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["mine", "uniform"]
    bars = [line for line in ax.get_lines() if line.get_linewidth() == 2.5]
    drawn = {tuple(np.round(bar.get_xdata(), 6)) for bar in bars}
    assert drawn == {
        tuple(np.round(np.quantile(values, [0.25, 0.75]), 6))
        for values in data["pairs"].values()
    }
    assert {text.get_text() for text in ax.texts} == {
        "mean of all pairs: 0.25",
        *(f"{np.median(values):.2f}" for values in data["pairs"].values()),
    }


def test_similarities_that_are_all_the_same():
    data = {"floor": 1.0, "pairs": {"uniform": np.ones(5, dtype=np.float32)}}
    draw_similarities(data, "MUTAG").canvas.draw()


def test_positions_are_means_over_epochs():
    (ax,) = draw_positions(batches(), "MUTAG").axes
    lines = lines_of(ax)
    assert lines["mine"].get_xdata().tolist() == [1, 2]
    assert lines["mine"].get_ydata() == pytest.approx([0.55, 0.8])
    assert lines["all pairs (0.25)"].get_ydata() == [0.25, 0.25]
    assert "position of the batch" in ax.get_xlabel()
    assert lines["uniform"].get_marker() != lines["mine"].get_marker()
