import shutil

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.serialization import get_safe_globals
from torch_geometric.data import Batch
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import GlobalStorage

from pyg_prosampler import encode_dataset, load_dataset
from pyg_prosampler.build import build_framework, load_for
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.experiment import run
from pyg_prosampler.models import MoleculeEncoder
from pyg_prosampler.ogb import _predict, load_ogb, scaffold_evaluation
from pyg_prosampler.records import RunFolder

pytest.importorskip("ogb", reason="the package ogb is not installed")


@pytest.fixture(scope="module")
def ogb_root(shared_data, tmp_path_factory):
    root = tmp_path_factory.mktemp("ogb")
    for name in ("ogbg_molbace", "ogbg_molfreesolv"):
        shutil.copytree(
            shared_data / "ogb" / name, root / name, copy_function=shutil.copyfile
        )
        for folder in (root / name, *(root / name).rglob("*/")):
            folder.chmod(0o755)
    return root


@pytest.fixture(scope="module")
def dataset(ogb_root):
    return load_dataset("ogbg-molbace", ogb_root)


def test_loads_raw_files_offline_and_leaves_torch_as_it_is(ogb_root, dataset, capsys):
    assert len(dataset) == 1513
    before, load = set(get_safe_globals()), torch.load
    again = load_ogb("ogbg-molbace", ogb_root)  # The processed file.
    # Lazy imports of torch may add to it, too.
    added = set(get_safe_globals()) - before
    assert not added & {DataEdgeAttr, DataTensorAttr, GlobalStorage}
    assert torch.load is load
    assert torch.equal(again[7].edge_attr, dataset[7].edge_attr)
    split = again.get_idx_split()
    assert sorted(torch.cat(list(split.values())).tolist()) == list(range(1513))
    assert capsys.readouterr().out == ""


def test_other_names_are_refused(ogb_root):
    with pytest.raises(ValueError, match="`name` should be such as 'ogbg-molbace'"):
        load_ogb("MUTAG", ogb_root)
    with pytest.raises(ValueError, match="ogbg-molhiv"):
        load_ogb("ogbg-molbaze", ogb_root)


def test_encoder_knows_bonds_and_no_order_of_graphs(dataset):
    encoder = MoleculeEncoder(hidden_channels=8, num_layers=2).eval()
    graphs = [dataset[index] for index in (3, 1, 2)]
    together = encoder(Batch.from_data_list(graphs))
    assert together.shape == (3, 16)
    alone = torch.cat([encoder(Batch.from_data_list([graph])) for graph in graphs])
    assert torch.allclose(together, alone, atol=1e-4)
    other = graphs[0].clone()
    other.edge_attr = (other.edge_attr + 1) % 2
    changed = encoder(Batch.from_data_list([other]))
    assert not torch.allclose(changed, together[:1], atol=1e-3)


def test_probe_is_chosen_on_validation_and_scored_on_test(dataset):
    embeddings = encode_dataset(MoleculeEncoder(hidden_channels=4), dataset)
    scores = scaffold_evaluation(embeddings, dataset)
    split = {key: index.numpy() for key, index in dataset.get_idx_split().items()}
    targets = np.stack([data.y.view(-1).double().numpy() for data in dataset])
    by_strength = {}
    for strength in [10.0**exponent for exponent in range(-4, 3)]:
        features = embeddings.double().numpy()
        predicted = _predict(features, targets, split["train"], strength, "rocauc")
        by_strength[strength] = {
            part: roc_auc_score(targets[split[part], 0], predicted[split[part], 0])
            for part in ("train", "valid", "test")
        }
        assert by_strength[strength]["train"] > 0.55
    best = max(by_strength, key=lambda strength: by_strength[strength]["valid"])
    assert scores["chosen_c"] == best
    assert scores["mean"] == pytest.approx(by_strength[best]["test"])
    assert scores["metric"] == "rocauc"


def test_probe_sees_what_is_there(dataset):
    labels = torch.cat([data.y for data in dataset]).float()
    signal = labels + 0.1 * torch.randn(len(dataset), 1)
    assert scaffold_evaluation(signal, dataset)["mean"] > 0.99
    noise = torch.randn(len(dataset), 1)
    assert abs(scaffold_evaluation(noise, dataset)["mean"] - 0.5) < 0.2


def test_regression_is_scored_by_rmse(ogb_root):
    dataset = load_ogb("ogbg-molfreesolv", ogb_root)
    targets = torch.cat([data.y for data in dataset])
    assert scaffold_evaluation(targets, dataset)["mean"] < 0.1
    assert scaffold_evaluation(torch.randn(642, 2), dataset)["mean"] > 1.0
    config = PretrainConfig("ogbg-molfreesolv", root=str(ogb_root))
    with pytest.raises(ValueError, match="single class as target"):
        load_for(config)


def test_embeddings_that_do_not_fit_are_refused(dataset):
    with pytest.raises(ValueError, match=r"one row for each of the 1513 graphs"):
        scaffold_evaluation(torch.zeros(3, 2), dataset)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": "MUTAG", "protocol": "ogb"}, "`protocol` 'ogb' is for molecules"),
        ({"framework": "mvgrl"}, "integer features"),
        ({"augmentation": "random4"}, "integer features"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PretrainConfig(**{"dataset": "ogbg-molbace"} | options)


def test_run_leaves_scores_on_the_scaffold_split(ogb_root, tmp_path):
    config = PretrainConfig("ogbg-molbace", root=str(ogb_root), num_epochs=2)
    assert config.protocol == "ogb"
    dataset = load_for(config)
    assert isinstance(build_framework(config, dataset).encoder, MoleculeEncoder)
    run(config, dataset, tmp_path)
    records = RunFolder(tmp_path).read_records()
    scores = [record for record in records if record["type"] == "evaluation"]
    assert [record["metric"] for record in scores] == ["rocauc", "rocauc"]
    assert all(0.4 < record["mean"] < 1 for record in scores)
