r"""The ``prosampler`` command."""

import inspect
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import datetime
from operator import getitem
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import torch
import typer
from rich.console import Console
from torch_geometric.data import InMemoryDataset
from tqdm import tqdm

from pyg_prosampler.build import build_loader, labels_of, load_for
from pyg_prosampler.compare import compare as compare_samplers
from pyg_prosampler.compare import describe_comparison, run_path, to_table
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.datasets import describe_node_features
from pyg_prosampler.evaluation import linear_evaluation
from pyg_prosampler.experiment import embed_dataset, restore, run
from pyg_prosampler.figures import FIGURES, draw_batches, draw_runs
from pyg_prosampler.ogb import scaffold_evaluation
from pyg_prosampler.records import RunFolder, load_tensors

app = typer.Typer(
    help="Hard batches for contrastive pre-training on graphs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
console = Console()

Out = Annotated[
    Path | None,
    typer.Option(help="Output folder (default: runs/COMMAND-DATASET-TIME)."),
]
Seeds = Annotated[str, typer.Option(help="Seeds, separated by commas.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say more, and show tracebacks.")
]


def takes_config(*omitted: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    r"""Gives a command an option for every field of
    :class:`~pyg_prosampler.experiment.PretrainConfig` and hands it the whole as
    :obj:`config`.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        types = get_type_hints(PretrainConfig)
        names = [f.name for f in fields(PretrainConfig) if f.name not in omitted]
        parameters = []
        for f in fields(PretrainConfig):
            if f.name in omitted:
                continue
            kind = typer.Argument if f.name == "dataset" else typer.Option
            # Type checkers would read `Annotated[...]` as a type.
            option = kind(help=f.metadata["help"])
            annotation = getitem(Annotated, (types[f.name], option))
            default = inspect.Parameter.empty if f.name == "dataset" else f.default
            parameters.append(
                inspect.Parameter(
                    f.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=default,
                    annotation=annotation,
                )
            )
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in inspect.signature(command).parameters.items()
            if name != "values"
        ]

        def wrapper(**options: Any) -> None:
            values = {name: options.pop(name) for name in names}
            command(values, **options)

        wrapper.__name__ = command.__name__
        wrapper.__doc__ = command.__doc__
        wrapper.__signature__ = inspect.Signature([*parameters, *own])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in [*parameters, *own]}
        return wrapper

    return decorate


@app.command()
@takes_config("seed")
def pretrain(
    values: dict[str, Any],
    seeds: Seeds = "0",
    out: Out = None,
    verbose: Verbose = False,
) -> None:
    """Pre-train an encoder and evaluate its frozen embeddings.

    Leaves one run folder for each seed: config.json, records.jsonl (a line for
    every epoch and evaluation), checkpoint.pt and embeddings.pt.
    """
    with reported_errors(verbose):
        config = PretrainConfig(**values)
        all_seeds = parse_seeds(seeds)
        dataset = announced(load_for(config))
        folder = out or default_folder("pretrain", config.dataset)
        for seed in all_seeds:
            one = replace(config, seed=seed)
            path = folder / f"seed{seed}"
            with progress(one, dataset, f"seed {seed}") as callbacks:
                run(one, dataset, path, on_step=callbacks["on_step"])
            for record in RunFolder(path).read_records():
                if record["type"] == "evaluation":
                    console.print(
                        f"seed {seed}, {record['stage']}: {describe(record)}",
                        highlight=False,
                    )
        console.print(f"Run folder: {folder}", highlight=False)


@app.command()
@takes_config("seed", "sampler")
def compare(
    values: dict[str, Any],
    samplers: Annotated[
        str, typer.Option(help="Samplers, separated by commas.")
    ] = "uniform,prosampler",
    seeds: Seeds = "0,1,2",
    out: Out = None,
    verbose: Verbose = False,
) -> None:
    """Pre-train with several samplers side by side and print a table.

    All samplers have the same seeds, the same initial weights and the same number
    of steps. With the same --out again, finished runs are kept and the rest is run.
    """
    with reported_errors(verbose):
        names = [name.strip() for name in samplers.split(",")]
        config = PretrainConfig(**values, sampler=names[0])
        for name in names:
            replace(config, sampler=name)
        all_seeds = parse_seeds(seeds)
        dataset = announced(load_for(config))
        folder = out or default_folder("compare", config.dataset)
        console.print(f"Run folder: {folder}", highlight=False)
        with Bars(dataset) as bars:
            summary = compare_samplers(
                config, dataset, names, all_seeds, folder, on_run=bars.begin
            )
        console.print()
        floor = summary["false_negative_floor"]
        console.print(to_table(summary["rows"], describe_comparison(summary), floor))
        if "prosampler" in names:
            picture = folder / "embeddings.png"
            draw(config, dataset, folder, all_seeds[0], picture)
            console.print(f"Picture of two batches: {picture}", highlight=False)


@app.command()
def evaluate(
    path: Annotated[
        Path,
        typer.Argument(help="Run folder, or its embeddings.pt or checkpoint.pt."),
    ],
    protocol: Annotated[
        str | None,
        typer.Option(
            help="libsvm-rbf, libsvm-linear, liblinear, or, for a checkpoint on "
            "molecules of OGB, ogb (default: that of the run folder, else libsvm-rbf)."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the splits.")] = 0,
    num_repeats: Annotated[
        int, typer.Option(help="Cross-validations, with seeds from SEED on.")
    ] = 1,
    num_folds: Annotated[int, typer.Option(help="Outer folds.")] = 10,
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
            if protocol is None and (path / "config.json").exists():
                protocol = PretrainConfig(**RunFolder(path).read_config()).protocol
            # The split of OGB is that of the data set.
            path /= "checkpoint.pt" if protocol == "ogb" else "embeddings.pt"
        if not path.is_file():
            raise FileNotFoundError(
                f"'{path}' does not exist; name the folder of a finished run, or its "
                f"embeddings.pt or checkpoint.pt"
            )
        saved = load_tensors(path)
        dataset: InMemoryDataset | None = None
        if "state_dict" in saved:
            changes = {"device": device, "root": root, "mirror": mirror}
            config, framework, dataset = restore(
                saved, **{key: value for key, value in changes.items() if value}
            )
            embeddings = embed_dataset(config, framework, dataset)
            labels = labels_of(dataset)
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


class Bars:
    r"""A progress bar for every run of a comparison, one after the other."""

    def __init__(self, dataset: InMemoryDataset) -> None:
        self.dataset = dataset
        self.bar: Any = None

    def __enter__(self) -> "Bars":
        return self

    def begin(self, config: PretrainConfig) -> dict[str, Callable[..., None]]:
        r"""Starts the bar of a run and returns what feeds it."""
        self.__exit__()
        label = f"{config.sampler} seed {config.seed}"
        self.bar, callbacks = _bar(config, self.dataset, label)
        return callbacks

    def __exit__(self, *exc: object) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


@contextmanager
def progress(
    config: PretrainConfig, dataset: InMemoryDataset, label: str
) -> Iterator[dict[str, Callable[..., None]]]:
    r"""Shows the progress of one run."""
    bar, callbacks = _bar(config, dataset, label)
    with bar:
        yield callbacks


def _bar(
    config: PretrainConfig, dataset: InMemoryDataset, label: str
) -> tuple[Any, dict[str, Callable[..., None]]]:
    steps_per_epoch = len(build_loader(config, dataset, lambda batch: batch.y))
    bar = tqdm(
        total=config.num_epochs * steps_per_epoch,
        desc=label,
        unit="step",
        mininterval=0.2,
        dynamic_ncols=True,
    )

    def on_step(step: dict[str, Any]) -> None:
        epoch = bar.n // steps_per_epoch + 1
        restart_prob = step["restart_prob"]
        bar.set_postfix_str(
            f"epoch {epoch}/{config.num_epochs}, loss {step['loss']:.3f}, restart "
            + ("none" if restart_prob is None else f"{restart_prob:.3f}")
            + f", similarity {step['similarity']:.3f}",
            refresh=False,
        )
        bar.update()

    return bar, {"on_step": on_step}


def draw(
    config: PretrainConfig,
    dataset: InMemoryDataset,
    folder: Path,
    seed: int,
    picture: Path,
) -> None:
    r"""Draws the embeddings of a comparison's ProSampler run."""
    config = replace(config, sampler="prosampler", seed=seed)
    saved = RunFolder(run_path(folder, "prosampler", seed)).load("embeddings.pt")
    sampler = build_loader(config, dataset, lambda batch: batch.y).batch_sampler
    draw_batches(
        saved["embeddings"],
        saved["labels"],
        sampler.policy,
        config.num_epochs - 1,
        config.batch_size,
        seed,
        picture,
        f"{config.dataset} after {config.num_epochs} epochs of GraphCL",
    )


def parse_seeds(text: str) -> list[int]:
    r"""Reads seeds such as :obj:`"0,1,2"`."""
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise ValueError(
            f"`seeds` should be distinct natural numbers separated by commas, such as "
            f"'0,1,2' (got '{text}')"
        )
    return seeds


def announced(dataset: InMemoryDataset) -> InMemoryDataset:
    r"""Says what a data set holds, added node features included."""
    console.print(
        f"{dataset.name}: {len(dataset)} graphs, {dataset.num_classes} classes; node "
        f"features: {describe_node_features(dataset)}",
        highlight=False,
        soft_wrap=True,
    )
    return dataset


def describe(scores: dict[str, Any]) -> str:
    r"""Puts scores into one line."""
    if scores["protocol"] == "ogb":
        value = f"{100 * scores['mean']:.2f}% (validation {100 * scores['valid']:.2f}%)"
        return f"{scores['metric']} {value}, scaffold split"
    over_seeds = scores["std_over_seeds"]
    return (
        f"accuracy {100 * scores['mean']:.2f}%, "
        + (f"± {100 * over_seeds:.2f} over seeds, " if over_seeds is not None else "")
        + f"± {100 * scores['std_over_folds']:.2f} over folds ({scores['protocol']})"
    )


def default_folder(command: str, dataset: str) -> Path:
    r"""A new folder under :obj:`runs`, named by the time."""
    return Path("runs") / f"{command}-{dataset}-{datetime.now():%Y%m%d-%H%M%S}"


@contextmanager
def reported_errors(verbose: bool) -> Iterator[None]:
    r"""Turns errors into a line and an exit status."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(message)s"
    )
    try:
        yield
    except KeyboardInterrupt:
        print("Interrupted; what was finished is in the run folder.", file=sys.stderr)
        raise typer.Exit(130) from None
    except (
        ValueError,
        OSError,
        ImportError,
        ArithmeticError,
        torch.OutOfMemoryError,
    ) as error:
        if verbose:
            traceback.print_exc()
        print(f"Error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


@app.command("inspect")
def inspect_runs(
    path: Annotated[
        Path, typer.Argument(help="Folder that compare or pretrain has left.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the figures (default: PATH/figures).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of what is drawn at random.")] = 0,
    only: Annotated[
        str | None,
        typer.Option(help=f"Some of {','.join(FIGURES)} (default: all of them)."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Draw what the batches of finished runs are made of.

    Saves each figure as PNG and SVG: false negatives by epoch; similarity of pairs in
    a batch; hardness and false negatives over the plane of candidates and restart
    probability; hardness by position in the epoch; a walk on the map of embeddings.
    """
    with reported_errors(verbose):
        names = None if only is None else [name.strip() for name in only.split(",")]
        for saved in draw_runs(path, out or path / "figures", seed, names):
            console.print(f"Saved {saved}", highlight=False, soft_wrap=True)


def main() -> None:
    r"""Runs the command line."""
    app()


if __name__ == "__main__":
    main()
