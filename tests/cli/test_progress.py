"""What a terminal, or a log, sees of long work."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from robench.cli.progress import Pace, duration, train_with_progress
from robench.data.load import load
from robench.training.export import start
from robench.training.recipe import load_recipe
from robench.training.trainer import Trainer


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "less than a second"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (190, "3 min 10 s"),
        (3600, "1 h 0 min"),
        (5759, "1 h 35 min"),
    ],
)
def test_durations_are_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def trainer(folder: Path, images: int, precision: str = "float32", epochs: int = 3) -> Trainer:
    recipe = load_recipe("digits/tr_round_c")
    small = replace(recipe, epochs=epochs, batch_size=8, options={"width": 0.03}, hold_out=0, tested_under=[])
    return start(small, load("digits", "train").first(images), folder, precision=precision)


@pytest.mark.parametrize(("images", "after"), [(80, 6), (24, 3)])
def test_the_first_steps_tell_what_an_epoch_will_take(images: int, after: int, tmp_path: Path) -> None:
    said: list[str] = []
    ticks = iter([100.0, 100.0 + 2.5 * (after - 1)])  # 2.5 s a step after the first, which is not timed
    pace = Pace(trainer(tmp_path, images), said.append, lambda: next(ticks))
    for step in range(1, 20):
        pace.step()
        assert len(said) == (step >= after)
    steps = images // 8
    assert said[0].startswith(f"in float32 an epoch of {steps} steps will take about {duration(2.5 * steps)}")
    assert said[0].endswith(f", the 3 epochs that are left about {duration(7.5 * steps)}")


def test_an_epoch_of_one_step_is_not_forecast(tmp_path: Path) -> None:
    said: list[str] = []
    pace = Pace(trainer(tmp_path, 8), said.append)
    for _ in range(5):
        pace.step()
    assert said == []


def test_training_says_its_pace_once_and_in_which_precision_a_run_goes_on(tmp_path: Path) -> None:
    def train(precision: str) -> str:
        screen = Console(file=StringIO(), width=200)
        train_with_progress(trainer(tmp_path, 32, precision, epochs=2), tmp_path / "log.jsonl", screen)
        return screen.file.getvalue()

    with pytest.raises(InterruptedError):
        trainer(tmp_path, 32, "bfloat16", epochs=2).run(lambda epoch: (_ for _ in ()).throw(InterruptedError))
    first = train("float32")
    assert "tr_round_c: epochs so far in bfloat16; the next are computed in float32." in first
    assert first.count("in float32 an epoch of 4 steps will take about") == 1
    assert '"precision": "float32"' in (tmp_path / "log.jsonl").read_text()
    assert train("bfloat16").strip() == ""
