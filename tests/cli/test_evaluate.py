import json
from importlib import import_module

import torch

from pyg_prosampler import encode_dataset, linear_evaluation
from pyg_prosampler.experiment import restore
from pyg_prosampler.records import RunFolder, load_tensors
from tests.cli.small import SMALL


def test_evaluate_errors(invoke, tmp_path):
    result = invoke("evaluate", "nowhere", status=1)
    assert (
        "'nowhere' does not exist; name the folder of a finished run" in result.stderr
    )
    RunFolder(tmp_path).save("other.pt", {"a": 1})
    result = invoke("evaluate", "other.pt", status=1)
    assert "neither embeddings nor a checkpoint" in result.stderr


def test_run_of_another_machine(invoke, mini_root, tmp_path):
    invoke("pretrain", "MINI", "--root", mini_root, "--out", "o", *SMALL)
    folder = RunFolder(tmp_path / "o" / "seed0")
    config = folder.read_config() | {"device": "cuda", "root": "/elsewhere"}
    folder.write_json("config.json", {"config": config})
    folder.save("checkpoint.pt", folder.load("checkpoint.pt") | {"config": config})
    scores = invoke("evaluate", folder.path, "--num-folds", 5, "--json").stdout
    again = invoke(
        "evaluate", folder.path / "checkpoint.pt", "--num-folds", 5, "--json",
        "--root", mini_root,
    )  # fmt: skip
    assert json.loads(again.stdout) == json.loads(scores)


def test_a_comparison_is_no_run(invoke, mini_root):
    invoke(
        "compare", "MINI", "--root", mini_root, "--out", "o", "--seeds", "0", *SMALL,
        "--samplers", "uniform",
    )  # fmt: skip
    result = invoke("evaluate", "o", status=1)
    assert "does not exist; name the folder of a finished run" in result.stderr


def test_norms_of_a_checkpoint(invoke, mini_root, tmp_path, monkeypatch):
    invoke(
        "pretrain", "MINI", "--root", mini_root, "--out", "o", "--seeds", "3", *SMALL,
        "--sampler", "knn",
    )  # fmt: skip
    folder = tmp_path / "o" / "seed3"
    evaluated = []

    def note(embeddings, *args, **kwargs):
        evaluated.append(embeddings)
        return linear_evaluation(embeddings, *args, **kwargs)

    # The name of the module is that of its function, too.
    module = import_module("pyg_prosampler.cli.evaluate")
    monkeypatch.setattr(module, "linear_evaluation", note)
    for options in [], ["--recompute-norms"], ["--no-recompute-norms"]:
        invoke("evaluate", folder, "--num-folds", 5, *options)
    saved, recomputed, recorded = evaluated
    config, framework, dataset = restore(load_tensors(folder / "checkpoint.pt"))
    expected = encode_dataset(
        framework.embed, dataset, batch_size=config.batch_size, recompute_norms=True
    )
    assert torch.equal(recomputed, expected)
    assert torch.equal(saved, recomputed)  # As the run did.
    expected = encode_dataset(framework.embed, dataset, batch_size=config.batch_size)
    assert torch.equal(recorded, expected)
    assert not torch.allclose(recorded, recomputed, atol=1e-2)


def test_saved_embeddings_have_no_norms(invoke, tmp_path):
    RunFolder(tmp_path).save("embeddings.pt", {"embeddings": torch.ones(4, 2)})
    result = invoke("evaluate", "embeddings.pt", "--recompute-norms", status=1)
    assert "`recompute_norms` needs an encoder" in result.stderr
