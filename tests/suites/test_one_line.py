import pytest

from robench.core.errors import RobenchError
from robench.core.kinds import kind_of
from robench.core.types import Condition
from robench.suites import load
from robench.suites.one_line import condition_of, suite_of


def test_lines_are_conditions() -> None:
    assert condition_of("attack", "pgd@8/255,steps=20,random_start=false") == Condition(
        "attack", "pgd", 8 / 255, (("random_start", False), ("steps", 20))
    )
    assert condition_of("attack", "torchattacks:BIM@0.1, alpha=2/255").setting("alpha") == 2 / 255
    assert condition_of("distortion", "sign") == Condition("distortion", "sign")
    assert condition_of("fault", "bit_error@1e-3,protection=secded,draws=3").draws == 3


def test_a_whole_number_is_a_severity_and_another_an_amount() -> None:
    severity, amount, given = (condition_of("corruption", f"poisson{text}") for text in ("@3", "@0.5", ",amount=3"))
    assert (severity.level, severity.params) == (3, ())
    assert (amount.level, amount.params) == (None, (("amount", 0.5),))
    assert given.fact("amount") == 3
    assert severity.fact("amount") != 3


def test_a_suite_holds_the_clean_images_and_is_named_by_what_it_holds() -> None:
    suite = suite_of({"attack": ["pgd@8/255,steps=20"], "corruption": ["gaussian@3"]})
    assert [kind_of(condition).name for condition in suite.conditions] == ["clean", "attack", "corruption"]
    assert suite == suite_of({"attack": ["pgd@8/255,steps=20"], "corruption": ["gaussian@3"]})
    assert suite.name != suite_of({"attack": ["pgd@8/255,steps=10"], "corruption": ["gaussian@3"]}).name
    # The images and seed of robench-v1: what is measured there is found again.
    whole = load("robench-v1")
    assert (suite.n_images, suite.seed) == (whole.n_images, whole.seed)
    assert suite.conditions[2] in whole.conditions


def test_a_norm_that_is_not_said_is_told() -> None:
    told: list[str] = []
    suite = suite_of({"attack": ["torchattacks:PGDL2@0.5", "pgd@0.5,norm=l2", "torchattacks:CW@8/255"]}, told.append)
    assert told == ["torchattacks:PGDL2 keeps its budget in L2: epsilon 0.5 is in L2, not Linf."]
    assert [condition.setting("norm") for condition in suite.conditions[1:]] == ["l2", "l2", ""]


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("attack", "pgdd@8/255", "--attack pgdd@8/255: no attack is named 'pgdd'; did you mean pgd"),
        ("attack", "pgd", 'not None; give one, such as "8/255"'),
        ("attack", "pgd@8", 'for 8 pixel levels write "8/255"'),
        ("attack", "pgd@8/25x", "a level must be a number, or a fraction"),
        ("attack", "pgd@1/255,step=3", "has no parameter 'step'; it takes: norm, via, eot, steps"),
        ("attack", "pgd@1/255,steps", "'steps' is no setting; write NAME@LEVEL,KEY=VALUE"),
        ("attack", "pgd@1/255,steps=3,steps=4", "write NAME@LEVEL,KEY=VALUE, each key once"),
        ("attack", "@1/255", "write NAME@LEVEL,KEY=VALUE"),
        ("corruption", "gausian@3", "did you mean gaussian"),
        ("distortion", "sgin", "did you mean sign"),
        ("fault", "bit_eror@1e-3", "did you mean bit_error"),
        ("fault", "bit_error@1e-3,draws=0", "draws must be a whole number from 1 to 1,000, not 0"),
    ],
)
def test_what_does_not_fit_is_one_sentence(kind: str, text: str, sentence: str) -> None:
    with pytest.raises(RobenchError) as caught:
        suite_of({kind: [text]})
    assert sentence in str(caught.value)


def test_a_line_that_is_there_twice_is_one_sentence() -> None:
    with pytest.raises(RobenchError, match=r"--attack pgd@0\.10 is there twice"):
        suite_of({"attack": ["pgd@0.1", "pgd@0.10"]})
