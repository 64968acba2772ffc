import pytest

from robench.core.errors import RobenchError
from robench.core.registry import Registry


@pytest.fixture
def registry() -> Registry[int]:
    registry: Registry[int] = Registry("thing", "robench.core")
    registry.add("gaussian", 1)
    return registry


def test_gives_what_was_added(registry: Registry[int]) -> None:
    assert registry["gaussian"] == 1
    assert list(registry) == ["gaussian"]
    assert "poisson" not in registry


def test_decorator_adds_and_returns_the_same_object() -> None:
    registry: Registry[object] = Registry("thing", "robench.core")
    thing = object()
    assert registry.register("a")(thing) is thing
    assert registry["a"] is thing


def test_second_thing_under_one_name_is_an_error(registry: Registry[int]) -> None:
    with pytest.raises(RobenchError, match="registered already"):
        registry.add("gaussian", 2)


def test_unknown_name_answers_with_the_nearest(registry: Registry[int]) -> None:
    with pytest.raises(RobenchError, match="no thing is named 'gausian'; did you mean gaussian"):
        registry["gausian"]


def test_unlike_any_name_answers_with_all(registry: Registry[int]) -> None:
    with pytest.raises(RobenchError, match="known: gaussian"):
        registry["zzz"]


def test_a_message_names_no_more_than_it_can_hold(registry: Registry[int]) -> None:
    for number in range(99):
        registry.add(f"n{number:03}", number)
    with pytest.raises(RobenchError, match=r"known: gaussian, n000, .*n048, and 50 more"):
        registry["zzz"]
