from pathlib import Path

import pytest

from robench import suites
from robench.core.errors import RobenchError


def test_robench_v1_is_what_it_says() -> None:
    suite = suites.load("robench-v1")
    assert (suite.n_images, suite.seed, suite.version) == (1000, 0, 2)
    count = {
        kind: sum(c.kind == kind for c in suite.conditions) for kind in ("clean", "corruption", "attack", "distortion")
    }
    assert count == {"clean": 1, "corruption": 20, "attack": 12, "distortion": 19}
    assert suite.conditions[-14].key == "distortion/multiplicative/0.05"
    assert {c.draws for c in suite.conditions if c.name == "multiplicative"} == {10}
    assert [c.level for c in suite.conditions if c.name == "pgd"] == [e / 255 for e in (0.25, 0.5, 1, 2, 4, 8)]


def test_every_suite_selects_its_conditions() -> None:
    for name in suites.names():
        suite = suites.load(name)
        assert suite.name == name
        assert len(suite.select("clean").conditions) == 1


GOOD = 'name = "mine"\nversion = 1\nn_images = 5\nseed = 0\n[[conditions]]\nkind = "attack"\nnames = ["pgd"]\n'


def test_a_suite_of_the_users(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD + 'levels = ["8/255", 0.5]\nparams = { steps = 3, norm = "l2" }\n')
    first, second = suites.load(str(tmp_path / "mine.toml")).conditions
    assert (first.level, second.level) == (8 / 255, 0.5)
    assert first.params == (("norm", "l2"), ("steps", 3))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name =", "not well formed"),
        ('name = "mine"', "not well formed"),
        (GOOD + 'levels = ["x/255"]', "not well formed"),
        (GOOD + "levels = [1, 1]", "names a condition twice"),
        (GOOD.replace('"attack"', '"atack"'), "did you mean attack"),
    ],
)
def test_a_bad_suite_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(RobenchError, match=sentence):
        suites.load(str(tmp_path / "mine.toml"))


def test_an_unknown_suite_answers_with_the_nearest() -> None:
    with pytest.raises(RobenchError, match="did you mean robench-v1"):
        suites.load("robench-v2")
