r"""Linear evaluation by LIBSVM against scikit-learn's grid search in a loop.

On embeddings of an untrained encoder, and of one after two epochs, whose large
:math:`C` take LIBSVM many more steps. COLLAB, with 5000 graphs, takes minutes: once.
"""

import os
from collections.abc import Iterator
from typing import Any

import torch
from numpy.typing import NDArray
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from benchmarks.graph.speed.timing import side_by_side
from pyg_prosampler import linear_evaluation
from pyg_prosampler.build import (
    build_framework,
    build_loader,
    build_objective,
    labels_of,
    load_for,
)
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.encode import encode_dataset
from pyg_prosampler.evaluation import C_GRID
from pyg_prosampler.training import pretrain

# The data set, epochs of training, repetitions.
CASES = (
    ("IMDB-BINARY", 0, 3),
    ("IMDB-BINARY", 2, 3),
    ("PROTEINS", 2, 3),
    ("COLLAB", 0, 1),
)


def measure(root: str, mirror: str | None) -> Iterator[dict[str, Any]]:
    r"""Yields a record for every case."""
    num_jobs = torch.get_num_threads()
    for name, num_epochs, num_repetitions in CASES:
        # Tuned, it would take as many minutes again, for the same.
        if num_repetitions == 1 and "MALLOC_MMAP_THRESHOLD_" in os.environ:
            continue
        config = PretrainConfig(dataset=name, root=root, mirror=mirror)
        features, labels = embed(config, num_epochs)
        found: dict[str, Any] = {}

        def plain() -> None:
            found["plain"] = grid_search(features, labels, num_jobs)  # noqa: B023

        def fast() -> None:
            result = linear_evaluation(features, labels, num_jobs=num_jobs)  # noqa: B023
            (scores,), (chosen,) = result["fold_scores"], result["chosen_c"]
            found["fast"] = scores, chosen  # noqa: B023

        times = side_by_side(
            {"plain": plain, "fast": fast},
            num_repetitions=num_repetitions,
            num_warmups=0,
        )
        yield {
            "case": f"{name}, {num_epochs} epochs",
            "num_graphs": len(features),
            "num_channels": features.shape[1],
            "identical": found["plain"] == found["fast"],
            "chosen_c": found["fast"][1],
            **times,
        }


def embed(config: PretrainConfig, num_epochs: int) -> tuple[NDArray[Any], NDArray[Any]]:
    r"""The embeddings of GraphCL's encoder after some epochs, and the labels."""
    dataset = load_for(config)
    framework = build_framework(config, dataset)
    loader = build_loader(config, dataset, framework.embed)
    optimizer = torch.optim.Adam(framework.parameters(), lr=config.learning_rate)
    objective = build_objective(config)
    for _ in pretrain(framework, loader, objective, optimizer, num_epochs):
        pass
    labels = labels_of(dataset)
    assert labels is not None
    return encode_dataset(framework.embed, dataset).numpy(), labels.numpy()


def grid_search(
    features: NDArray[Any], labels: NDArray[Any], num_jobs: int
) -> tuple[list[float], list[float]]:
    r"""The protocol as one writes it with scikit-learn."""
    scores, chosen = [], []
    for train, test in folds(10).split(features, labels):
        search = GridSearchCV(SVC(), {"C": C_GRID}, cv=folds(5), n_jobs=num_jobs)
        search.fit(features[train], labels[train])
        scores.append(search.score(features[test], labels[test]))
        chosen.append(search.best_params_["C"])
    return scores, chosen


def folds(number: int) -> StratifiedKFold:
    r"""The folds that the evaluation has with seed 0."""
    return StratifiedKFold(number, shuffle=True, random_state=0)
