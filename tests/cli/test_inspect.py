import pytest
from typer.testing import CliRunner

from pyg_prosampler import cli
from tests.example_runs import clusters, leave_run


def invoke(*arguments, status=0):
    result = CliRunner().invoke(cli.app, ["inspect", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


@pytest.fixture
def folder(tmp_path):
    embeddings, labels = clusters(noise=0.3)
    return leave_run(tmp_path / "run", embeddings, labels)


def test_says_what_it_saved(folder, tmp_path):
    result = invoke(folder, "--only", "walk, false-negatives", "--seed", 3)
    saved = [line.removeprefix("Saved ") for line in result.stdout.splitlines()]
    names = ("walk.png", "walk.svg", "false-negatives.png", "false-negatives.svg")
    assert saved == [str(folder / "figures" / name) for name in names]
    invoke(folder, "--only", "walk", "--out", tmp_path / "elsewhere", "--seed", 3)
    for name in names[:2]:
        drawn = (tmp_path / "elsewhere" / name).read_bytes()
        assert drawn == (folder / "figures" / name).read_bytes()


def test_errors(folder, tmp_path):
    result = invoke(tmp_path / "nowhere", status=1)
    assert "nowhere' is not a folder; name one" in result.stderr
    result = invoke(folder, "--only", "all", status=1)
    assert "Error: `only` should be some of ('false-negatives'" in result.stderr
    (folder / "embeddings.pt").unlink()
    result = invoke(folder, "--only", "plane", status=1)
    assert "has no embeddings.pt; name the folder of a finished run" in result.stderr
    assert "Traceback" not in result.stderr


def test_help_names_all_figures():
    text = "".join(invoke("--help").stdout.split())
    assert "false-negatives,similarity,plane,position,walk" in text
