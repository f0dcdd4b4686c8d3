r"""Molecules of the Open Graph Benchmark: loading, and the linear probe."""

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch_geometric.data import InMemoryDataset
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import GlobalStorage

# Inverse strengths of regularisation.
GRID = tuple(10.0**exponent for exponent in range(-4, 3))


def is_ogb(name: str) -> bool:
    r"""Whether a name is that of a molecule data set of OGB."""
    return name.startswith("ogbg-mol")


def load_ogb(name: str, root: str | Path = "data", **options: Any) -> InMemoryDataset:
    r"""Loads a molecule data set of the `"Open Graph Benchmark"
    <https://arxiv.org/abs/2005.00687>`_ by the package :obj:`ogb`, which downloads
    it unless its raw files are in :obj:`root` already.

    Args:
        name (str): A name such as :obj:`"ogbg-molbace"`.
        root (str or Path, optional): The folder of all data sets.
            (default: :obj:`"data"`)
        **options (optional): :obj:`transform` and :obj:`pre_transform`.

    Returns:
        PygGraphPropPredDataset: With integer atom and bond features :obj:`x` and
        :obj:`edge_attr`, targets :obj:`y` of shape :obj:`[1, num_tasks]` and
        :meth:`get_idx_split`, its scaffold split.

    Raises:
        ImportError: If :obj:`ogb` is not installed.
        ValueError: If there is no such data set.
    """
    if not is_ogb(name):
        raise ValueError(f"`name` should be such as 'ogbg-molbace' (got '{name}')")
    # Importing it starts a thread that asks the network for its latest version.
    try:
        from ogb.graphproppred import PygGraphPropPredDataset
    except ImportError as error:
        raise ImportError(
            f"'{name}' needs the package ogb; install it by "
            f"`pip install 'pyg-prosampler[ogb]'`"
        ) from error
    # It loads whole PyG objects by `torch.load`, which refuses these unless told,
    # and talks while it processes.
    allowed = [DataEdgeAttr, DataTensorAttr, GlobalStorage]
    with (
        torch.serialization.safe_globals(allowed),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return PygGraphPropPredDataset(name, root=str(root), **options)


def scaffold_evaluation(embeddings: Tensor, dataset: InMemoryDataset) -> dict[str, Any]:
    r"""Scores frozen embeddings by a linear probe on the data set's own split and by
    its own evaluator: ROC-AUC, or RMSE for regression, averaged over tasks.

    Embeddings are standardised on the training part; logistic (or ridge) regression
    is fitted on it, its regularisation chosen on the validation part.

    Args:
        embeddings (torch.Tensor): The embeddings :math:`[N, d]`.
        dataset (InMemoryDataset): The data set from :meth:`load_ogb`.

    Returns:
        dict: :obj:`protocol`; :obj:`metric`; :obj:`mean`, its value on the test
        part; :obj:`valid`, on the validation part; :obj:`chosen_c`.
    """
    from ogb.graphproppred import Evaluator

    features = embeddings.detach().cpu().double().numpy()
    targets = torch.cat([data.y for data in dataset]).double().numpy()
    if features.shape[0] != targets.shape[0] or not np.isfinite(features).all():
        raise ValueError(
            f"`embeddings` should be finite, one row for each of the "
            f"{targets.shape[0]} graphs (got shape {list(features.shape)})"
        )
    split = {key: index.numpy() for key, index in dataset.get_idx_split().items()}
    evaluator = Evaluator(dataset.name)
    metric = dataset.eval_metric
    sign = -1 if metric == "rmse" else 1

    best: dict[str, Any] = {}
    for strength in GRID:
        predicted = _predict(features, targets, split["train"], strength, metric)
        scores = {
            part: float(
                evaluator.eval(
                    {"y_true": targets[split[part]], "y_pred": predicted[split[part]]}
                )[metric]
            )
            for part in ("valid", "test")
        }
        if not best or sign * scores["valid"] > sign * best["valid"]:
            best = {**scores, "chosen_c": strength}
    return {
        "protocol": "ogb",
        "metric": metric,
        "mean": best["test"],
        "std_over_folds": None,  # There is one split.
        "valid": best["valid"],
        "chosen_c": best["chosen_c"],
    }


def check_scaffold_evaluation(dataset: InMemoryDataset) -> None:
    r"""Raises an error unless a data set has one target, which is a class, so that
    its score is one between 0 and 1.
    """
    if dataset.eval_metric != "rocauc" or dataset.num_tasks != 1:
        raise ValueError(
            f"`dataset` should have a single class as target (got {dataset.num_tasks} "
            f"of '{dataset.name}', for {dataset.task_type}); take 'ogbg-molbace', "
            f"'ogbg-molbbbp' or 'ogbg-molhiv', or use `scaffold_evaluation` in Python"
        )


def _predict(
    features: np.ndarray,
    targets: np.ndarray,
    train: np.ndarray,
    strength: float,
    metric: str,
) -> np.ndarray:
    r"""Returns scores of all graphs and tasks :math:`[N, T]`."""
    columns = []
    for task in targets.T:
        known = train[~np.isnan(task[train])]
        if metric == "rmse":
            probe = make_pipeline(StandardScaler(), Ridge(1 / strength))
            columns.append(probe.fit(features[known], task[known]).predict(features))
        else:
            logistic = LogisticRegression(C=strength, max_iter=10_000)
            probe = make_pipeline(StandardScaler(), logistic)
            probe.fit(features[known], task[known])
            columns.append(probe.decision_function(features))
    return np.stack(columns, axis=1)
