"""The key under which a measurement is stored: everything that decides its outcomes."""

import hashlib
import json

from robench.core.kinds import kind_of
from robench.core.source import code_digest
from robench.core.types import Condition
from robench.engine.task import Task


def measurement_key(task: Task, code: str) -> str:
    """sha256 of all that decides the outcomes of a task; equal keys are one measurement.

    That is the condition, with what it stands for (the amount of a severity, not its number), the draw and the suite's
    seed; the pixels, labels and calibration images; the model (see ``robench.engine.identity``); the code of the
    plug-in that does the work; and for robench's own code around it the kind's protocol number. Batch size and the
    order of work decide nothing.

    Args:
        task: what is measured; its condition is resolved.
        code: digest of the plug-in's code (see ``plugin_code``).
    """
    condition = task.condition
    parts = {
        "protocol": kind_of(condition).protocol,
        "condition": condition.key,
        "level": repr(condition.level),
        "grid": [repr(level) for level in condition.grid],
        "params": [(name, repr(value)) for name, value in condition.params],
        "facts": [(name, repr(value)) for name, value in condition.facts],
        "draw": task.draw,
        "seed": task.seed,
        "data": task.data.fingerprint,
        "calibration": task.calibration.fingerprint if task.calibration else "",
        "model": task.model.identity(
            gradients=bool(condition.fact("gradient", False)), twin=bool(condition.fact("transfers", False))
        ),
        "plugin": code,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def plugin_code(condition: Condition) -> str:
    """Digest of the code of the plug-in that a condition names; "" where there is none."""
    plugin = kind_of(condition).plugin(condition)
    return code_digest(plugin) if plugin is not None else ""
