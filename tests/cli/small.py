r"""Options that keep runs short."""

SMALL = [
    "--num-epochs=2", "--batch-size=16", "--hidden-channels=4", "--num-layers=2",
    "--num-folds=5",
]  # fmt: skip
