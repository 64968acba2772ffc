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


def test_robench_imagenet_has_the_noise_of_imagenet_c() -> None:
    suite = suites.load("robench-imagenet")
    amounts = {
        "gaussian": [0.08, 0.12, 0.18, 0.26, 0.38],
        "poisson": [60, 25, 12, 5, 3],
        "salt_and_pepper": [0.03, 0.06, 0.09, 0.17, 0.27],
        "speckle": [0.15, 0.2, 0.35, 0.45, 0.6],
    }
    for name, expected in amounts.items():
        assert [c.fact("amount") for c in suite.conditions if (c.kind, c.name) == ("corruption", name)] == expected
    for name in ("fgsm", "pgd"):
        assert [c.level for c in suite.conditions if c.name == name] == [e / 255 for e in (1, 2, 4, 8)]


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


CLEAN = GOOD.replace('"attack"', '"clean"').replace('"pgd"', '"clean"')
NOISE = GOOD.replace('"attack"', '"corruption"').replace('"pgd"', '"gaussian"')


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name =", "is not TOML"),
        ('name = "mine"', "missing key 'version'"),
        (GOOD.replace('"mine"', "3"), "name must be text in quotes, not 3"),
        (GOOD.replace("n_images = 5", "n_images = 0"), "n_images must be at least 1, not 0"),
        ("number_of_images = 12\n" + GOOD, "there is no key 'number_of_images'; did you mean n_images"),
        (GOOD + 'levels = ["8/255"]\nparam = { steps = 1 }', "there is no key 'param'; did you mean params"),
        (GOOD + 'levels = ["8/255"]\nserach = true', "there is no key 'serach'; did you mean search"),
        (GOOD + 'levels = ["8/255"]\nsearch = "yes"', "search must be true or false"),
        (GOOD + 'levels = ["x/255"]', "a level must be a number, or a fraction"),
        (GOOD + 'levels = ["8/0"]', "a level must be a number, or a fraction"),
        (GOOD + "levels = [0.5, 0.5]", "names a condition twice"),
        (GOOD + "levels = [8]", 'write "8/255"'),
        (GOOD + 'levels = ["-1/255"]', "must be a number from 0 to 1"),
        (GOOD, "must be a number from 0 to 1"),
        (GOOD + "levels = [0.1]\ndraws = 0", "draws must be at least 1, not 0"),
        (
            GOOD + "levels = [0.1]\nparams = { steps = 0 }",
            "steps of the attack pgd must be a whole number >= 1, and at most 100,000, not 0",
        ),
        (
            GOOD + 'levels = [0.1]\nparams = { steps = "many" }',
            "must be a whole number >= 1, and at most 100,000, not 'many'",
        ),
        (GOOD + "levels = [0.1]\nparams = { relative_step = -1 }", "must be a number above 0"),
        (GOOD + 'levels = [0.1]\nparams = { norm = "l1" }', "must be linf or l2, not 'l1'"),
        (GOOD + "levels = [0.1]\nparams = { stepss = 1 }", "has no parameter 'stepss'"),
        (GOOD.replace('"pgd"', '"square"') + 'levels = [0.1]\nparams = { norm = "l2" }', "must be linf, not 'l2'"),
        (GOOD.replace('"pgd"', '"torchattacks:PGD"') + "levels = [0.1]\nsearch = true", "leave search out"),
        (GOOD.replace('"attack"', '"atack"'), "did you mean attack"),
        (CLEAN.replace('["clean"]', '["dirty"]'), "the clean condition is"),
        (CLEAN + "levels = [7]", "the clean condition is"),
        (NOISE + "levels = [3]\nsearch = true", "search is for attacks"),
        (NOISE + "levels = [6]", "choose 1 to 5"),
        (NOISE + "levels = [3]\nparams = { amount = 0.1 }", "not both"),
        (
            NOISE.replace('"corruption"', '"distortion"') + "levels = [0.1]\nparams = { scope = 'some' }",
            "takes no scope",
        ),
        (NOISE.replace('"corruption"', '"distortion"').replace("gaussian", "sign") + "draws = 3", "leave draws out"),
    ],
)
def test_a_bad_suite_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(RobenchError, match=sentence):
        suites.load(str(tmp_path / "mine.toml"))


def test_an_unknown_suite_answers_with_the_nearest() -> None:
    with pytest.raises(RobenchError, match="did you mean robench-v1"):
        suites.load("robench-v2")
