import json

from pyg_prosampler.records import RunFolder
from tests.cli.small import SMALL


def test_pretrain_and_evaluate(invoke, mini_root, tmp_path):
    result = invoke(
        "pretrain", "MINI", "--root", mini_root, "--out", "o", "--seeds", "3", *SMALL,
        "--sampler", "knn",
    )  # fmt: skip
    assert "seed 3, untrained: accuracy" in result.stdout
    assert "seed 3, trained: accuracy" in result.stdout
    folder = tmp_path / "o" / "seed3"
    assert RunFolder(folder).read_config()["sampler"] == "knn"

    saved = invoke("evaluate", folder, "--num-folds", 5, "--seed", 3, "--json")
    scores = json.loads(saved.stdout)
    assert scores["fold_scores"] == RunFolder(folder).read_records()[-1]["fold_scores"]
    again = invoke(
        "evaluate", folder / "checkpoint.pt", "--num-folds", 5, "--seed", 3, "--json"
    )
    assert json.loads(again.stdout) == scores
    result = invoke(
        "evaluate", folder, "--num-folds", 5, "--protocol", "liblinear",
        "--num-repeats", 2,
    )  # fmt: skip
    assert "over seeds" in result.stdout
    assert "(liblinear)" in result.stdout


def test_default_folder_is_new(invoke, mini_root, tmp_path):
    invoke("pretrain", "MINI", "--root", mini_root, *SMALL)
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("pretrain-MINI-")


def test_interrupt_leaves_finished_records(invoke, mini_root, tmp_path, monkeypatch):
    append = RunFolder.append

    def interrupting(self, record):
        append(self, record)
        if record["type"] == "epoch":
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "append", interrupting)
    result = invoke(
        "pretrain", "MINI", "--root", mini_root, "--out", "o", *SMALL, status=130
    )
    assert "Interrupted; what was finished is in the run folder" in result.stderr
    records = RunFolder(tmp_path / "o" / "seed0").read_records()
    assert [record["type"] for record in records] == ["evaluation", "epoch"]
