from importlib.metadata import EntryPoint

import pytest

from robench.core import registry as module
from robench.core.errors import RobenchError, RobenchWarning
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


def test_upper_and_lower_case_do_not_matter_to_the_nearest(registry: Registry[int]) -> None:
    registry.add("PGDL2", 2)
    with pytest.raises(RobenchError, match="did you mean PGDL2"):
        registry["pgdl2"]


def test_a_broken_entry_point_is_left_out_with_a_warning(
    registry: Registry[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = EntryPoint("rain", "nothere_at_all.rain", "robench.core")
    monkeypatch.setattr(module, "entry_points", lambda group: [broken] if group == "robench.core" else [])
    with pytest.warns(RobenchWarning, match=r"the plug-in rain \(nothere_at_all.rain\), which is left out, failed"):
        assert registry["gaussian"] == 1
    with pytest.raises(RobenchError, match=r"no thing is named 'rain'.*No module named 'nothere_at_all'"):
        registry["rain"]
