r"""``prosampler evaluate``"""

import json
from pathlib import Path
from typing import Annotated

import typer
from torch_geometric.data import InMemoryDataset

from pyg_prosampler.build import labels_of
from pyg_prosampler.cli.options import Verbose
from pyg_prosampler.cli.report import describe, reported_errors
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.evaluation import linear_evaluation
from pyg_prosampler.experiment import embed_dataset, restore
from pyg_prosampler.ogb import scaffold_evaluation
from pyg_prosampler.records import RunFolder, load_tensors


def evaluate(
    path: Annotated[
        Path,
        typer.Argument(help="Run folder, or its embeddings.pt or checkpoint.pt."),
    ],
    protocol: Annotated[
        str | None,
        typer.Option(
            help="libsvm-rbf, libsvm-linear, liblinear (the linear ones take much "
            "longer), or, for a checkpoint on molecules of OGB, ogb (default: that of "
            "the run folder, else libsvm-rbf)."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the splits.")] = 0,
    num_repeats: Annotated[
        int, typer.Option(help="Cross-validations, with seeds from SEED on.")
    ] = 1,
    num_folds: Annotated[int, typer.Option(help="Outer folds.")] = 10,
    recompute_norms: Annotated[
        bool | None,
        typer.Option(
            help="Encode a checkpoint's data set anew, with statistics of random "
            "batches in its batch norms or with the recorded ones (default: as its "
            "run did)."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Device for a checkpoint.")] = "cpu",
    root: Annotated[
        str | None, typer.Option(help="Folder of all data sets, for a checkpoint.")
    ] = None,
    mirror: Annotated[
        str | None, typer.Option(help="Mirror of data sets, for a checkpoint.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all scores as JSON.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Score saved embeddings, or the encoder of a checkpoint."""
    with reported_errors(verbose):
        if path.is_dir():
            if protocol is None and (path / "checkpoint.pt").exists():
                saved_config = RunFolder(path).read_config()
                protocol = PretrainConfig.from_saved(saved_config).protocol
            # The split of OGB is that of the data set, and norms are the encoder's.
            encode = protocol == "ogb" or recompute_norms is not None
            path /= "checkpoint.pt" if encode else "embeddings.pt"
        if not path.is_file():
            raise FileNotFoundError(
                f"'{path}' does not exist; name the folder of a finished run, or its "
                f"embeddings.pt or checkpoint.pt"
            )
        saved = load_tensors(path)
        dataset: InMemoryDataset | None = None
        if "state_dict" in saved:
            changes = {
                "device": device,
                "root": root,
                "mirror": mirror,
                "recompute_norms": recompute_norms,
            }
            config, framework, dataset = restore(
                saved,
                **{key: value for key, value in changes.items() if value is not None},
            )
            embeddings = embed_dataset(config, framework, dataset)
            labels = labels_of(dataset)
        elif "embeddings" in saved and recompute_norms is not None:
            raise ValueError(
                f"`recompute_norms` needs an encoder, and '{path}' holds embeddings; "
                f"name the run folder or its checkpoint.pt"
            )
        elif "embeddings" in saved:
            embeddings, labels = saved["embeddings"], saved.get("labels")
        else:
            raise ValueError(
                f"'{path}' holds neither embeddings nor a checkpoint (its keys are "
                f"{sorted(saved)})"
            )
        scores = (
            scaffold_evaluation(embeddings, dataset)
            if protocol == "ogb" and dataset is not None
            else linear_evaluation(
                embeddings,
                labels,
                protocol=protocol or "libsvm-rbf",
                seed=seed,
                num_repeats=num_repeats,
                num_folds=num_folds,
            )
        )
        print(json.dumps(scores) if as_json else describe(scores))
