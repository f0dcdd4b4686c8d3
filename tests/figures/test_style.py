import itertools

from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from pyg_prosampler.config import SAMPLERS
from pyg_prosampler.figures.style import line_styles, save


def test_every_policy_has_a_look_of_its_own():
    styles = line_styles([*SAMPLERS, "mine", "yours"])
    looks = [
        (style["marker"], str(style["linestyle"]), style["color"])
        for style in styles.values()
    ]
    assert len(set(looks)) == len(looks)
    # Without colours, too.
    assert len({look[:2] for look in looks}) == len(looks)


def test_a_policy_looks_the_same_whatever_is_beside_it():
    assert line_styles(["knn"])["knn"] == line_styles(SAMPLERS)["knn"]


def test_usual_policies_differ_in_grey():
    def grey(color):
        r, g, b = to_rgb(color)
        return 0.299 * r + 0.587 * g + 0.114 * b

    styles = line_styles(["uniform", "prosampler", "knn"])
    for one, other in itertools.combinations(styles.values(), 2):
        assert abs(grey(one["color"]) - grey(other["color"])) > 0.05
        assert one["linestyle"] != other["linestyle"]


def test_saves_png_and_svg_and_always_the_same(tmp_path):
    contents = []
    for name in ("a", "b"):
        figure = Figure()
        figure.subplots().plot([1, 2], [3, 4], "o-", label="line")
        paths = save(figure, tmp_path / name / "0.5 of it")
        assert [path.name for path in paths] == ["0.5 of it.png", "0.5 of it.svg"]
        contents.append([path.read_bytes() for path in paths])
    assert contents[0] == contents[1]
    assert contents[0][0].startswith(b"\x89PNG")
    assert b"<svg" in contents[0][1]
