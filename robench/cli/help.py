"""What ``--help`` shows beside the words of each option: what stands for its value, its group, and examples."""

from typing import Any

from typer.core import TyperCommand, TyperGroup

METAVARS = {
    "batch_size": "N",
    "bits": "N",
    "cards": "CARD",
    "checkpoint": "FILE",
    "conditions": "PATTERN",
    "data_dir": "FOLDER",
    "epochs": "N",
    "first": "CARD",
    "form": "FORMAT",
    "formats": "FORMAT",
    "gradients": "PRECISION",
    "hold_out": "N",
    "image_size": "N",
    "into": "FOLDER",
    "mean": "NUMBERS",
    "models": "MODEL",
    "n_images": "N",
    "names": "CARD",
    "num_classes": "N",
    "option": "NAME=VALUE",
    "out": "FOLDER",
    "plugin": "FILE",
    "quantize": "QUANTIZER",
    "runs": "FOLDER",
    "second": "CARD",
    "seed": "N",
    "share": "SHARE",
    "std": "NUMBERS",
    "store": "FILE",
    "training": "WORDS",
    "twin": "MODEL",
    "twin_checkpoint": "FILE",
    "verdicts": "JUDGE",
    "what": "WHAT",
    "zoo": "FOLDER",
}
"""What stands for the value of a parameter of this name, in every command; its name in capitals for others."""

PANELS = {
    "Models and conditions": (
        "model", "checkpoint", "option", "num_classes", "bits", "quantize", "twin", "twin_checkpoint", "suite",
        "conditions", "attack", "corruption", "distortion", "fault", "plugin", "zoo", "architecture", "quantizer",
        "mean", "std", "twins",
    ),
    "Data": ("dataset", "data_dir", "image_size", "n_images", "seed"),
    "Computation": ("device", "batch_size", "gradients", "verdicts", "all_steps", "precision", "compiled", "trust",
        "engine", "gpus_per_task",
    ),
    "Output": (
        "out", "store", "runs", "publish", "check", "full", "as_json", "form", "formats", "width", "intervals",
        "differences", "into", "witness", "record", "shard", "finder",
    ),
}  # fmt: skip
"""Group of options -> its parameters, in every command."""

EXAMPLES = {
    "evaluate": (
        "robench evaluate --model twn_resnet20",
        "robench evaluate --model fp_resnet20 --quantize int4 --suite quick",
        "robench evaluate --model twn_resnet20 --conditions 'attack/*' --full",
        "robench evaluate --model net.py:make --checkpoint net.pt --dataset digits",
        "robench evaluate --model onnx:int8.onnx --twin onnx:float.onnx",
        "robench evaluate --model twn_resnet20 --attack pgd@8/255,steps=20",
        "robench evaluate --model twn_resnet20 --shard 2/8",
        "robench evaluate --model digits/mine --zoo models --publish board",
    ),
    "compare": ("robench compare twn_resnet20 bwn_resnet20", "robench compare mine theirs --board board"),
    "plot": (
        "robench plot twn_resnet20 bwn_resnet20 --out figures",
        "robench plot twn_resnet20 --conditions 'attack/*' --width one --format pdf",
    ),
    "site": ("robench site", "robench site --board board --out public", "robench site --cards runs"),
    "table": (
        "robench table runs/*.robench-v1.*json --format latex --out table.tex",
        "robench table runs/*.json --rows 'twn*' --columns clean --columns attack/pgd",
    ),
    "cite": ("robench cite twn_resnet20 --suite robench-v1 > references.bib",),
    "show": ("robench show twn_resnet20", "robench show digits/twn_resnet20"),
    "list": ("robench list models", "robench list models --zoo models", "robench list suites"),
    "merge": ("robench merge runs/measurements.*-of-4.sqlite --store runs/all.sqlite",),
    "plan": ("robench plan twn_resnet20 robench-v1", "robench plan digits/twn_resnet20 quick --twin none --json"),
    "confirm": ("robench confirm runs/mine.digits.quick.json --witness witness",),
    "verify": ("robench verify runs/mine.digits.quick.json", "robench verify CARD --share 0.2 --record leaderboards"),
    "reproduce": ("robench reproduce merolla", "robench reproduce bit-flips", "robench reproduce poster --check"),
    "train": ("robench train digits/twn_resnet20", "robench train cifar10/twn_resnet20 --seed 1 --compile"),
    "leaderboard": ("robench leaderboard", "robench leaderboard --board board --check"),
    "zoo add": ("robench zoo add mine --checkpoint net.pt --architecture resnet20 --std 0.25",),
    "zoo quantize": ("robench zoo quantize cifar10/fp_resnet20 int4",),
    "zoo verify": ("robench zoo verify", "robench zoo verify digits/twn_resnet20"),
}
"""Command -> what a user may type."""


def epilog(command: str) -> str:
    """The examples of a command below its help."""
    examples = EXAMPLES.get(command, ())
    if not examples:
        return ""
    lines = [f"Example{'s' * (len(examples) > 1)}:", *(f"  {line}" for line in examples)]
    return "\b\n" + "\n".join(lines)  # the sign before the lines keeps typer from joining them


class _Described:
    """A command whose parameters stand in groups, with words for their values."""

    def get_params(self, ctx: Any) -> Any:
        """The parameters, those of the help among them."""
        found = super().get_params(ctx)  # type: ignore[misc]
        for parameter in found:
            describe(parameter)
        return found


class Command(_Described, TyperCommand):
    """A command of robench's."""


class Group(_Described, TyperGroup):
    """A group of commands of robench's."""


def describe(parameter: Any) -> None:
    """Give a parameter its metavar, unless one was declared, and an option its group."""
    if parameter.metavar is None:
        named = METAVARS.get(parameter.name, parameter.name.upper().replace("_", "-"))
        parameter.metavar = "" if getattr(parameter, "is_flag", False) else named
    if parameter.param_type_name == "argument":
        parameter.display_type_rich = lambda ctx: None  # its name says more than a column of types would
    elif not getattr(parameter, "rich_help_panel", None):
        parameter.rich_help_panel = next((panel for panel, names in PANELS.items() if parameter.name in names), None)
