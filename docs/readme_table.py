"""Print the table of README.md from the published result cards: python docs/readme_table.py."""

from pathlib import Path

from robench.core.types import ResultCard
from robench.results import cards
from robench.results.markdown import table
from robench.results.summary import accuracy, difference, groups, percent

FOLDER = Path(__file__).parents[1] / "leaderboards" / "cards"
MODELS = {
    "fp_resnet20": "full precision",
    "int8_resnet20": "INT8 weights",
    "w8a8_resnet20": "INT8 weights and activations",
    "int4_resnet20": "INT4 weights",
    "ttq_resnet20": "ternary (TTQ)",
    "twn_per_layer_resnet20": "ternary (TWN, one scale a layer)",
    "twn_resnet20": "ternary (TWN, one scale a filter)",
    "bwn_resnet20": "binary (BWN)",
    "bc_resnet20": "binary (BinaryConnect)",
}
COLUMNS = {
    "clean": "clean",
    "gaussian": "gaussian input noise",
    "pgd (20) 1/255": "PGD, 1/255",
    "gaussian 0.2": "weight noise 0.2",
    "sign": "signs of the weights",
}


def readme_table() -> str:
    """Accuracy of each ResNet-20, and its difference to the full-precision one."""
    found = {name: cards.read(FOLDER / f"{name}.cifar10.robench-v1.n1017.json") for name in MODELS}
    twin = found["fp_resnet20"]
    body = [[text, *(_cell(found[name], twin, column) for column in COLUMNS)] for name, text in MODELS.items()]
    return table(["ResNet-20", *COLUMNS.values()], body)


def _cell(card: ResultCard, twin: ResultCard, column: str) -> str:
    group = next(group for group in groups(card.suite) if group.label == column)
    own = percent(accuracy(card, group)).partition(" ")[0]
    return own if card is twin or own == "n/a" else f"{own} ({percent(difference(card, twin, group), signed=True)})"


if __name__ == "__main__":
    print(readme_table(), end="")
