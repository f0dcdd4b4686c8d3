import numpy as np
import pytest

from pyg_prosampler.figures import draw_plane

DATA = {
    "num_graphs": 9,
    "num_neighbors": 3,
    "num_candidates": np.array([1, 3, 8]),
    "restart_prob": [0.0, 0.5],
    "similarity": np.array([[0.11, 0.22, 0.33], [0.44, 0.55, 0.66]]),
    "similarity_floor": 0.125,
    "false_negative_rate": np.array([[0.5, 0.6, 0.7], [0.7, 0.8, 0.9]]),
    "false_negative_rate_floor": 0.515,
}


def test_numbers_are_in_their_cells():
    figure = draw_plane(DATA, "MUTAG")
    similarity, rates = figure.axes[:2]
    found = {text.get_position(): text.get_text() for text in similarity.texts}
    assert found[2, 0] == "0.33"
    assert found[0, 1] == "0.44"
    found = {text.get_position(): text.get_text() for text in rates.texts}
    assert found[2, 1] == "90"
    for ax in (similarity, rates):
        assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "3", "8"]
        assert [t.get_text() for t in ax.get_yticklabels()] == ["0", "0.5"]
        assert "restart probability" in ax.get_ylabel()
        assert "candidates" in ax.get_xlabel()
    assert "uniform batches: 0.12" in similarity.get_title()


def test_numbers_stand_out_of_their_cells():
    similarity = draw_plane(DATA, "MUTAG").axes[0]
    (image,) = similarity.images
    for text in similarity.texts:
        column, row = text.get_position()
        shade = image.cmap(image.norm(DATA["similarity"][row, column]))[:3]
        is_dark = np.dot(shade, [0.299, 0.587, 0.114]) < 0.55
        assert text.get_color() == ("white" if is_dark else "black")


@pytest.mark.parametrize("value", [0.5, 1.0])
def test_without_labels_and_without_differences(value):
    data = DATA | {
        "similarity": np.full((2, 3), value), "false_negative_rate": None,
    }  # fmt: skip
    figure = draw_plane(data, "MUTAG")
    assert len(figure.axes) == 2  # The plane and its colour bar.
    figure.canvas.draw()
