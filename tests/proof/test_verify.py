"""Every forgery of a card that was thought of is found; the honest card holds."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import robench
from robench.cli.main import app
from robench.core.errors import RobenchError
from robench.core.types import CLEAN, Measurement
from robench.proof.again import again
from robench.proof.contradictions import contradictions
from robench.proof.verify import compare_again, model_differences, sample
from robench.results import cards
from robench.results.cards import Card
from robench.suites.one_line import suite_of


def complaints(card: Card, path: Path, share: float = 1.0) -> list[str]:
    found = list(contradictions(card, path))
    with again(card) as work:
        found += model_differences(work)
        found += [c.complaint for c in compare_again(sample(work.pairs, share, seed=0)) if c.complaint]
    return found


def changed(card: Card, change: Callable[[Measurement], Measurement]) -> Card:
    return replace(card, measurements=tuple(change(m) for m in card.measurements))


def perfect(m: Measurement) -> Measurement:
    everything = np.ones_like(m.top1)
    return replace(m, top1=everything, top5=everything, rounded=np.ones_like(m.rounded))


def written(card: Card, folder: Path) -> tuple[Card, Path]:
    path = cards.write(card, folder)
    return cards.read(path), path


def test_the_honest_card_holds(card: Card, honest: Path) -> None:
    assert complaints(card, honest) == []


def test_a_count_that_was_edited_cannot_be_read(honest: Path, tmp_path: Path) -> None:
    data = json.loads(honest.read_text())
    data["measurements"][0]["correct"] += 1
    (tmp_path / honest.name).write_text(json.dumps(data))
    outcomes = cards.outcomes_path(honest)
    (tmp_path / outcomes.name).write_bytes(outcomes.read_bytes())
    with pytest.raises(RobenchError, match="contradicts itself"):
        cards.read(tmp_path / honest.name)


def test_outcomes_that_were_all_made_right(card: Card, tmp_path: Path) -> None:
    found = complaints(*written(changed(card, perfect), tmp_path), share=0.2)
    assert any("images differ, and" in complaint for complaint in found)


def test_the_outcomes_of_a_stronger_model(card: Card, tmp_path: Path) -> None:
    stronger = robench.evaluate("tr_none_c", "digits", "quick", twin="none")
    found = complaints(*written(replace(card, measurements=stronger.measurements), tmp_path))
    assert any("images differ, and" in complaint for complaint in found)


def test_another_models_card_under_a_new_name(card: Card, tmp_path: Path) -> None:
    forged, path = written(replace(card, model=replace(card.model, name="best_resnet20")), tmp_path)
    with pytest.raises(RobenchError, match="best_resnet20, which is no model of the zoo"):
        complaints(forged, path)
    with (
        pytest.raises(RobenchError, match="the card is of other weights than fp_resnet20"),
        again(card, model="digits/fp_resnet20"),
    ):
        pass


@pytest.mark.parametrize("edit", [{"bits": 2}, {"stored_bytes": 10}, {"weights": 7}, {"bits_per_weight": 0.5}])
def test_facts_of_the_model_that_were_edited(edit: dict[str, int], card: Card, honest: Path, tmp_path: Path) -> None:
    forged, _ = written(replace(card, model=replace(card.model, **edit)), tmp_path)
    with again(forged) as work:
        (complaint,) = model_differences(work)
    assert complaint.startswith(f"it says {next(iter(edit))} = ")


def test_another_twin(card: Card, tmp_path: Path) -> None:
    forged, _ = written(replace(card, twin=(card.twin[0], "0" * 64)), tmp_path)
    with again(forged) as work:
        assert list(model_differences(work)) == [f"its twin {card.twin[0]} has other weights in the zoo"]


def test_other_images_under_the_same_name(card: Card, tmp_path: Path) -> None:
    forged, path = written(replace(card, data=replace(card.data, fingerprint="0" * 64)), tmp_path)
    with pytest.raises(RobenchError, match="the card is of other images than digits here"):
        complaints(forged, path)


def test_fewer_images_than_there_are(card: Card, tmp_path: Path) -> None:
    few = changed(card, lambda m: replace(m, top1=m.top1[:8], top5=m.top5[:8], rounded=m.rounded[:8]))
    path = cards.write(replace(few, data=replace(card.data, n=card.data.n)), tmp_path)
    with pytest.raises(RobenchError, match="outcomes of 8 of 200 images"):
        cards.read(path)


def test_conditions_that_were_left_out_and_another_seed(card: Card, tmp_path: Path) -> None:
    kept = card.suite.conditions[:-1]
    fewer = replace(
        card,
        suite=replace(card.suite, conditions=kept),
        measurements=tuple(m for m in card.measurements if m.condition in kept),
    )
    other = replace(card, suite=replace(card.suite, seed=5))
    for forged in (fewer, other):
        found = list(contradictions(*written(forged, tmp_path)))
        assert found == ["its conditions, draws, images or seed are not those of quick version 3"]
    lost = replace(card, measurements=card.measurements[:-1])
    assert any("draws of" in complaint for complaint in contradictions(*written(lost, tmp_path)))
    part = robench.evaluate("bc_resnet20", "digits", "quick", conditions="clean", twin="none")
    assert list(contradictions(*written(part, tmp_path))) == ["it is of a part of quick (conditions=clean)"]


def test_measurements_of_another_suite_beside_its_own(card: Card, tmp_path: Path) -> None:
    extra = replace(card.measurements[0], condition=replace(CLEAN, name="other"))
    path = cards.write(replace(card, measurements=(*card.measurements, extra)), tmp_path)
    with pytest.raises(RobenchError, match="other is measured, and not in its suite"):
        cards.read(path)


def test_flags_that_were_removed(card: Card, tmp_path: Path) -> None:
    suite = suite_of({"attack": ["fgsm@1/255"]})
    bnn = robench.evaluate("bnn_resnet20", "digits", suite, twin="none", n_images=64)
    assert any(m.flags for m in bnn.measurements)
    found = complaints(*written(changed(bnn, lambda m: replace(m, flags=())), tmp_path))
    assert any("the card lacks the flag" in complaint for complaint in found)


def test_wrong_without_an_attack_and_right_under_it(card: Card, honest: Path) -> None:
    def worse(m: Measurement) -> Measurement:
        return replace(m, top1=np.zeros_like(m.top1)) if m.condition == CLEAN else m

    found = list(contradictions(changed(card, worse), honest))
    assert any("wrong without an attack are right under attack/" in complaint for complaint in found)


def test_within_five_guesses_under_an_attack_alone(card: Card, honest: Path) -> None:
    def worse(m: Measurement) -> Measurement:
        return replace(m, top5=m.top1) if m.condition == CLEAN else replace(m, top5=np.ones_like(m.top5))

    found = list(contradictions(changed(card, worse), honest))
    assert any("not within five guesses without an attack are so under attack/" in complaint for complaint in found)


def test_five_guesses_that_are_not_the_models(card: Card, honest: Path) -> None:
    def other(m: Measurement) -> Measurement:
        return replace(m, top5=~m.top5) if m.condition.kind == "distortion" else m

    found = complaints(changed(card, other), honest)
    assert any("images differ" in complaint for complaint in found)


def test_a_larger_epsilon_that_fools_less(tmp_path: Path) -> None:
    card = robench.evaluate("tr_none_c", "digits", "robench-v1", conditions="attack/pgd", twin="none", n_images=8)
    smallest = min((m.condition for m in card.measurements), key=lambda condition: condition.level or 0)

    def worse(m: Measurement) -> Measurement:
        return replace(m, top1=np.zeros_like(m.top1)) if m.condition == smallest else m

    assert any("stand under" in complaint for complaint in contradictions(changed(card, worse), tmp_path / "card.json"))


def test_a_second_card_of_the_same_weights(card: Card, tmp_path: Path) -> None:
    path = cards.write_file(card, tmp_path / "zz_second.digits.quick.json")
    assert list(contradictions(card, path)) == [f"its file would be called {cards.card_path(card, tmp_path).name}"]


def test_the_sample_has_each_kind_and_cannot_be_foreseen(card: Card) -> None:
    with again(card) as work:
        chosen = sample(work.pairs, 0.01, seed=None)
        assert {m.condition.kind for m, _ in chosen} == {m.condition.kind for m in card.measurements}
        assert len(sample(work.pairs, 1.0, seed=None)) == len(card.measurements)
        with pytest.raises(RobenchError, match="share must be above 0"):
            sample(work.pairs, 0.0, seed=None)


def test_a_card_names_nothing_that_would_be_run(card: Card) -> None:
    forged = replace(card, model=replace(card.model, name="os:getcwd"))
    with pytest.raises(RobenchError, match="no model of the zoo"), again(forged):
        pass


def typed(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(words))


def test_the_command(honest: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    board.mkdir()
    done = typed("verify", str(honest), "--seed", "0", "--record", str(board))
    assert done.exit_code == 0
    assert "holds: " in done.stdout
    (check,) = json.loads((board / "checks.json").read_text())["checks"]
    assert (check["state"], check["card"]) == ("re-measured", honest.name)
    assert json.loads(typed("verify", str(honest), "--seed", "0", "--json").stdout)["complaints"] == []
