"""What a .pt2 file may hold: torch's loader trusts it, so that it is read first as the data that it is."""

import ast
import io
import json
import pickle
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from robench.core.errors import RobenchError
from robench.core.files import short

TARGETS = re.compile(
    r"torch\.ops\.(?:aten|prims|quantized_decomposed|torchao|pt2e_quant)\.(?!from_file)\w+(?:\.\w+)?"
    r"|_operator\.\w+|math\.\w+|torch\.sym_\w+|torch\.ops\.higher_order\.wrap_with_set_grad_enabled"
)
"""Functions that a graph may call: torch's loader would look up any name inside of torch."""
NOT_OPERATORS = {"_operator.attrgetter", "_operator.methodcaller", "_operator.call"}
CONTAINERS = {"builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict", None}
HARMLESS = (
    *(ast.Expression, ast.Call, ast.keyword, ast.Name, ast.Load, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Compare),
    *(ast.BoolOp, ast.operator, ast.unaryop, ast.cmpop, ast.boolop),
)
FUNCTIONS = re.compile(
    r"Symbol|Integer|Float|Rational|Max|Min|Mod|FloorDiv|ModularIndexing|CleanDiv|CeilDiv|Eq|Ne|PythonMod"
)
"""Of SymPy, in the sizes of tensors, which its parser evaluates as Python."""


def check(path: Path) -> None:
    """Raise RobenchError where a .pt2 file is damaged, or holds more than a graph and tensors.

    Loading it would otherwise unpickle, or evaluate, what it says: such files are refused, whoever made them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            problem = _problem(archive)
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, RecursionError, pickle.UnpicklingError) as error:
        raise RobenchError(f"{short(path)} is no .pt2 file that can be read ({short(error)}).") from error
    if problem:
        raise RobenchError(f"{short(path)} {problem}; it is not loaded.")


def _problem(archive: zipfile.ZipFile) -> str:
    names = {name.partition("/")[2]: name for name in archive.namelist()}
    if "archive_version" not in names:
        return "is of an older format; save the program again with torch.export.save of torch 2.8 or later"
    for inner in names:
        if inner.startswith("data/aotinductor"):
            return "holds compiled code; save the program itself with torch.export.save"
        if inner.startswith(("data/weights/", "data/constants/")) and inner.endswith(".pt"):
            return "pickles its weights"
    for inner, name in names.items():
        if inner.endswith("_config.json") and _pickled(json.loads(archive.read(name))):
            return "pickles some of its weights or constants"
        if inner.startswith("data/sample_inputs/"):
            torch.load(io.BytesIO(archive.read(name)), weights_only=True)
        if inner.startswith("models/"):
            problem = _problem_of_graph(json.loads(archive.read(name)))
            if problem:
                return problem
    return ""


def _pickled(config: Any) -> bool:
    entries = config.get("config", {}) if isinstance(config, dict) else {}
    return any(entry.get("use_pickle") or "custom_obj" in str(entry.get("path_name")) for entry in entries.values())


def _problem_of_graph(graph: Any) -> str:
    for entry in _dicts(graph):
        target = entry.get("target")
        if "outputs" in entry and target is not None and not _is_known(str(target)):
            return f"calls {short(target, 80)}, which is no operator of torch's"
        if "expr_str" in entry and not _is_harmless(str(entry["expr_str"])):
            return f"has a size that is no formula: {short(entry['expr_str'], 80)}"
        if "children_spec" in entry and entry.get("type") not in CONTAINERS:
            return f"takes or gives a {short(entry.get('type'), 80)}"
    return ""


def _is_known(target: str) -> bool:
    return TARGETS.fullmatch(target) is not None and target not in NOT_OPERATORS


def _is_harmless(expression: str) -> bool:
    """Whether an expression calls nothing but SymPy's constructors, and looks nothing up."""
    try:
        nodes = list(ast.walk(ast.parse(expression, mode="eval")))
    except SyntaxError:
        return False
    for node in nodes:
        if not isinstance(node, HARMLESS):
            return False
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and FUNCTIONS.fullmatch(node.func.id)):
            return False
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not node.value.isidentifier():
            return False
    return True


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value; those that are written as text inside of it, too."""
    if isinstance(value, str) and value.startswith(("[", "{")):
        try:
            value = json.loads(value)
        except ValueError:
            return
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _dicts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _dicts(item)
