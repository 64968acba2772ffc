import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robench.core.errors import RobenchError
from robench.core.types import Condition, DataCard, Measurement, ModelCard, ResultCard, Suite
from robench.results import cards, leaderboard, markdown
from robench.results.scores import score, score_difference
from robench.results.stats import Estimate
from robench.results.summary import (
    MISSING,
    NOT_APPLICABLE,
    accuracy,
    difference,
    fooling,
    groups,
    percent,
    perturbations,
    smallest_epsilons,
)

CONDITIONS = (
    Condition("clean", "clean"),
    Condition("corruption", "gaussian", 1),
    Condition("corruption", "gaussian", 2),
    Condition("attack", "pgd", 0.25 / 255, (("steps", 20),)),
    Condition("distortion", "gaussian", 0.1, draws=3, facts=(("random", True),)),
    Condition("distortion", "sign"),
)
SUITE = Suite("mine", 1, 100, 0, CONDITIONS)


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def make_card(name: str, right: int, twin: tuple[str, str] = ("", "")) -> ResultCard:
    def measured(condition: Condition, draw: int) -> Measurement:
        n = 0 if condition.name == "sign" and twin[0] else 100
        top1 = np.arange(n) < right
        return Measurement(condition, draw, top1, top1, rounded=top1 if condition.kind == "attack" else top1[:0])

    measurements = tuple(measured(c, draw) for c in CONDITIONS for draw in range(c.draws))
    model = ModelCard(name, "digits", "resnet20", sha256=digest(name))
    return ResultCard(model, SUITE, DataCard("digits", "here", 100, "f" * 64), measurements, twin)


FP = make_card("fp", 80)
TWN = make_card("twn", 70, ("fp", digest("fp")))


def test_groups_are_the_rows() -> None:
    assert [group.label for group in groups(SUITE)] == [
        "clean",
        "gaussian",
        "pgd (20) 0.25/255",
        "pgd (20) 0.25/255",
        "gaussian 0.1",
        "sign",
    ]
    assert len(groups(SUITE)[1].conditions) == 2


def test_accuracy_and_difference() -> None:
    clean, noise, attack, rounded, weights, sign = groups(SUITE)
    assert (attack.outcome, rounded.outcome) == ("top1", "rounded")
    assert accuracy(TWN, rounded).value == 0.7
    assert accuracy(TWN, clean).value == 0.7
    assert accuracy(TWN, noise).value == pytest.approx(0.7)
    assert difference(TWN, FP, clean).value == pytest.approx(-0.1)
    gap = difference(TWN, FP, weights)
    assert gap.value == pytest.approx(-0.1)
    assert gap.low < -0.1 < gap.high < 0
    assert accuracy(TWN, sign) == NOT_APPLICABLE
    assert difference(TWN, FP, sign) == MISSING


def test_nothing_is_averaged_over_a_condition_that_is_missing() -> None:
    partial = replace(TWN, measurements=tuple(m for m in TWN.measurements if m.condition.level != 2 and m.draw != 2))
    _, noise, pgd, _, weights, _ = groups(SUITE)
    assert accuracy(partial, noise) == accuracy(partial, weights) == MISSING
    assert accuracy(partial, pgd) != MISSING


def test_cards_of_other_images_are_not_compared() -> None:
    other = replace(FP, data=replace(FP.data, fingerprint="e" * 64))
    assert difference(TWN, other, groups(SUITE)[0]) == MISSING


def test_percent() -> None:
    assert percent(Estimate(0.5, 0.25, 0.75)) == "50.0 [25.0, 75.0]"
    assert percent(Estimate(0.01, -0.02, 0.04), signed=True) == "+1.0 [-2.0, +4.0]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for card in (FP, TWN):
        cards.write(card, tmp_path / "cards")
    return tmp_path


def test_leaderboard_shows_every_model_with_its_twin(folder: Path) -> None:
    (path,) = leaderboard.write(folder / "cards", folder)
    text = path.read_text()
    assert path.name == "mine.md"
    assert "digits: 100 images" in text
    row = next(line for line in text.splitlines() if line.startswith("| twn | 70.0"))
    assert row.startswith("| twn | 70.0 [60.4, 78.1]<br>-10.0 [")


def test_a_short_table_is_on_top_and_details_are_folded(folder: Path) -> None:
    (path,) = leaderboard.write(folder / "cards", folder)
    top, *details = path.read_text().split("<details>\n")
    assert "| model | bits | size | clean | noise, 2 conditions | attacks, 1 condition | weights, 1 condition |" in top
    assert percent(score(TWN, "weights")) in top
    assert percent(score_difference(TWN, FP, "weights"), signed=True) in top
    assert len([line for line in top.splitlines() if line.startswith("| ")]) == 4
    assert [text.partition("</summary>")[0] for text in details[:3]] == [
        "<summary>Models",
        "<summary>Clean and input noise",
        "<summary>Attacks",
    ]
    assert all(text.count("</details>") == 1 for text in details)


def test_a_flag_marks_the_score_that_it_is_about(tmp_path: Path) -> None:
    flagged = tuple(replace(m, flags=("weak",)) if m.condition.kind == "attack" else m for m in FP.measurements)
    top = markdown.leaderboard([replace(FP, measurements=flagged)]).partition("<details>")[0]
    (row,) = (line for line in top.splitlines() if line.startswith("| fp "))
    assert [cell.endswith("*") for cell in row.strip("| ").split(" | ")[3:-1]] == [False, False, True, False]


def test_the_heading_of_a_fold_is_text() -> None:
    hostile = replace(FP.suite, conditions=(*CONDITIONS, *(Condition("corruption", f"</summary><b>{i}") for i in "ab")))
    card = replace(FP, suite=hostile)
    assert "<b>" not in markdown.leaderboard([card])


def test_a_flag_is_told_once_with_all_that_it_stands_beside(tmp_path: Path) -> None:
    random = tuple(
        replace(m, flags=("random: dice inside",)) if m.condition.kind in ("clean", "corruption") else m
        for m in FP.measurements
    )
    cards.write(replace(FP, measurements=random), tmp_path / "cards")
    leaderboard.write(tmp_path / "cards", tmp_path)
    text = (tmp_path / "mine.md").read_text()
    assert text.count("random: dice inside") == 1
    assert "- fp, clean, gaussian: random: dice inside" in text


def test_check_sees_an_edit_and_a_missing_file(folder: Path) -> None:
    assert leaderboard.stale(folder / "cards", folder) == ["mine.md"]
    leaderboard.write(folder / "cards", folder)
    assert leaderboard.stale(folder / "cards", folder) == []
    (folder / "mine.md").write_text((folder / "mine.md").read_text().replace("70.0", "79.0"))
    assert leaderboard.stale(folder / "cards", folder) == ["mine.md"]


def test_an_empty_folder_and_mixed_versions_are_one_sentence(folder: Path) -> None:
    with pytest.raises(RobenchError, match="there are no result cards"):
        leaderboard.render(folder)
    cards.write(replace(FP, model=replace(FP.model, name="old"), suite=replace(SUITE, version=0)), folder / "cards")
    with pytest.raises(RobenchError, match="different versions"):
        leaderboard.render(folder / "cards")


def test_the_smallest_epsilon_is_the_median_over_images_that_are_right_without_an_attack() -> None:
    grid = (1 / 255, 2 / 255, 4 / 255)
    conditions = (Condition("clean", "clean"), *(Condition("attack", "pgd", level, grid=grid) for level in grid))
    standing = (90, 60, 30, 20)
    rows = tuple(
        Measurement(c, 0, np.arange(100) < n, np.arange(100) < n) for c, n in zip(conditions, standing, strict=True)
    )
    card = replace(FP, suite=replace(SUITE, conditions=conditions), measurements=rows)
    ((name, estimate),) = smallest_epsilons(card)
    assert name == "pgd"
    assert estimate.value == 2 / 255  # 30 of 90 fall at 1/255, 30 more at 2/255
    assert fooling(card)[0].startswith("fp, pgd: the median image is fooled at 2/255 [")
    assert smallest_epsilons(replace(card, measurements=rows[:-1])) == []
    standing = [replace(row, top1=rows[0].top1) for row in rows]
    assert fooling(replace(card, measurements=tuple(standing))) == [
        "fp, pgd: the median image is robust at every epsilon"
    ]


def test_the_mean_perturbation_to_fool_counts_right_images_that_fall() -> None:
    bim = Condition("attack", "bim", 0.1, facts=(("distance", True),))
    suite = replace(SUITE, conditions=(Condition("clean", "clean"), bim))

    def card(name: str, distance: float) -> ResultCard:
        right, standing = np.arange(100) < 90, np.arange(100) < 30
        distances = np.full(100, distance, np.float32) + np.arange(100, dtype=np.float32) % 2
        rows = (
            Measurement(suite.conditions[0], 0, right, right),
            Measurement(bim, 0, standing, standing, distance=distances),
        )
        return replace(FP, model=replace(FP.model, name=name), suite=suite, measurements=rows)

    found = perturbations(card("a", 2.0), bim)
    assert found is not None
    assert (np.isnan(found).sum(), np.isinf(found).sum(), np.isfinite(found).sum()) == (10, 30, 60)
    (sentence,) = fooling(card("a", 2.0), card("b", 1.5))
    assert "60 of 90 images fool it, 30 never do; to fool: mean 2.500 [" in sentence
    assert "median 3.000 [" in sentence  # the 45th and 46th of 90, censored images above all others
    assert sentence.endswith("on the 60 images that fool both, +0.500 [+0.500, +0.500]")


def test_the_spread_over_training_seeds_is_of_models_not_of_images(tmp_path: Path) -> None:
    assert "over training seeds" not in markdown.leaderboard([FP, TWN])
    family = [
        replace(card, model=replace(card.model, name=f"fp{mark}", training={"seed": seed}))
        for seed, (mark, card) in enumerate((("", FP), ("_seed1", make_card("a", 84)), ("_seed2", make_card("b", 88))))
    ]
    text = markdown.leaderboard([*family, TWN])
    assert "<summary>Attacks: over training seeds</summary>" in text
    assert "| fp | 3 | 84.0 ± 4.0 | 84.0 ± 4.0 |" in text
    assert "| twn | 1 |" not in text
