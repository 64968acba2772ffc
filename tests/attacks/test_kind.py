from robench.core.kinds import KINDS
from robench.core.types import Condition

KIND = KINDS["attack"]


def cost(name: str, **params: int) -> int:
    return KIND.cost(Condition("attack", name, 0.1, tuple(params.items())))


def test_cost_counts_steps_and_queries_also_where_they_are_not_given() -> None:
    assert cost("fgsm") == 2 + 3
    assert cost("pgd") == cost("pgd", steps=20) == 2 + 3 * 20
    assert cost("square") == cost("square", queries=5000) == 2 + 3 + 5000
    assert cost("robench_aa", steps=3, queries=5) == 2 + 9 + 5


def test_what_an_attack_is_stands_in_its_condition() -> None:
    facts = {name: dict(KIND.resolve(Condition("attack", name, 0.1)).facts) for name in ("fgsm", "bim", "square")}
    assert facts["fgsm"] == {"distance": False, "gradient": True, "single_step": True}
    assert facts["bim"] == {"distance": True, "gradient": True, "single_step": False}
    assert facts["square"] == {"distance": False, "gradient": False, "single_step": False}


def test_labels_and_places_are_in_pixel_levels() -> None:
    condition = Condition("attack", "pgd", 8 / 255, (("steps", 20),))
    assert KIND.label(condition) == "pgd (20) 8/255"
    assert KIND.x(condition) == 8
