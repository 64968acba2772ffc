"""The plan of an evaluation has its measurements, and time that adds up."""

from robench.measure.estimate import by_section, estimate, hours
from robench.measure.run import Request
from robench.suites.one_line import suite_of

SUITE = suite_of({"attack": ["pgd@8/255,steps=20"], "distortion": ["gaussian@0.2,draws=10"]})


def test_every_condition_of_both_models_is_in_the_plan() -> None:
    told: list[tuple[int, int]] = []
    costs = estimate(Request(("tr_none_c",), "digits", SUITE, n_images=200), 8, lambda *at: told.append(at))
    assert len(costs) == 6
    assert told[-1] == (12, 12)
    by_name = {cost.condition.name: cost for cost in costs if cost.model == "tr_none_c"}
    assert by_name["pgd"].passes == 200 * (2 + 3 * 20)
    assert by_name["gaussian"].passes == 200 * 10
    assert by_name["gaussian"].seconds == 10 * by_name["gaussian"].longest > 0
    assert sum(len(own) for _, own in by_section(costs)) == 6
    assert hours(costs, 1) == sum(cost.seconds for cost in costs) / 3600
    assert hours(costs, 1000) == max(cost.longest for cost in costs) / 3600


def test_fewer_images_than_a_sample_are_measured_whole() -> None:
    costs = estimate(Request(("tr_none_c",), "digits", suite_of({}), twin="none", n_images=8))
    (clean,) = costs
    assert clean.passes == 8
