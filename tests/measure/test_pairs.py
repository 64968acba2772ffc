"""Two checkpoints of one architecture, names of one's own, options of factories: the whole way to cards."""

from pathlib import Path

import pytest
import torch

import robench
from robench import zoo
from robench.core.errors import RobenchError
from robench.results import cards

FACTORY = """
from torch import nn
from robench import zoo

def net(shift: float = 0.0):
    module = zoo.load("tr_none_nc", "digits", 10).module
    module.network.classifier[-1].bias.data[0] += shift
    return module

def needs(width):
    return net()
"""
LAST = "network.classifier.6.weight"
SETTINGS = {"dataset": "digits", "suite": "quick", "n_images": 16, "conditions": "clean"}


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(FACTORY)
    state = zoo.load("tr_none_nc", "digits", 10).module.state_dict()
    torch.save({f"model.{name}": tensor for name, tensor in state.items()}, tmp_path / "right.pt")
    torch.save(state | {LAST: -state[LAST]}, tmp_path / "wrong.pt")
    return f"{tmp_path / 'mine.py'}:net"


def test_one_factory_with_two_checkpoints_is_a_pair(spec: str, tmp_path: Path) -> None:
    card = robench.evaluate(
        spec, checkpoint=tmp_path / "right.pt", twin_checkpoint=tmp_path / "wrong.pt", name="mine", **SETTINGS
    )
    assert card.twin_card is not None
    assert (card.model.name, card.twin_card.model.name) == ("mine", f"{spec} (wrong.pt)")
    assert card.measurements[0].correct == 16
    assert card.twin_card.measurements[0].correct < 8
    assert card.model.source.startswith("right.pt (sha256 ")
    (row,) = card.difference()
    assert row.difference.value == (16 - card.twin_card.measurements[0].correct) / 16


def test_checkpoints_stand_behind_their_models_and_cards_beside_each_other(spec: str, tmp_path: Path) -> None:
    files = [tmp_path / "right.pt", tmp_path / "wrong.pt"]
    found = robench.evaluate([spec, "fp_resnet20", spec], checkpoint=files, twin="none", **SETTINGS)
    assert [card.measurements[0].correct > 8 for card in found] == [True, True, False]
    part = robench.evaluate(spec, checkpoint=files[0], twin="none", **SETTINGS | {"conditions": "corruption/gaussian"})
    paths = [card.save(tmp_path / "runs") for card in [*found, part]]
    assert len(set(paths)) == 4
    assert cards.find(spec, [tmp_path / "runs"]) == paths[3]
    assert cards.find(f"{spec} (wrong.pt)", [tmp_path / "runs"]) == paths[2]


def test_options_reach_the_factory_and_the_card(spec: str) -> None:
    card = robench.evaluate(spec, options={"shift": 100.0}, twin="none", **SETTINGS)
    assert card.model.options == {"shift": 100.0}
    assert card.measurements[0].correct < 8


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"checkpoint": ["right.pt", "wrong.pt"]}, "1 of the models take a checkpoint, and there are 2"),
        ({"name": ["a", "b"]}, "there are 1 models and 2 names"),
        ({"options": {"wide": 2}}, "unexpected keyword argument 'wide'; give its arguments as --option"),
        ({"bits": 9}, "bits must be from 1 to 8, or 16 or 32"),
        ({"num_classes": 0}, "num_classes must be a whole number from 1"),
    ],
)
def test_what_does_not_fit_is_one_sentence(changes: dict, sentence: str, spec: str) -> None:
    with pytest.raises(RobenchError, match=sentence):
        robench.evaluate(spec, twin="none", **SETTINGS, **changes)


def test_options_are_not_for_models_that_bring_a_card() -> None:
    with pytest.raises(RobenchError, match="fp_resnet20 takes none"):
        zoo.load("fp_resnet20", "digits", 10, options={"width": 2})
    with pytest.raises(RobenchError, match="--option width=2 goes with timm:NAME or a factory, and there is none"):
        robench.evaluate("fp_resnet20", options={"width": 2}, **SETTINGS)


def test_a_timm_model_has_options_and_classes_of_its_own(tmp_path: Path) -> None:
    import timm

    name, options = "vit_tiny_patch16_224", {"img_size": 32, "patch_size": 8, "depth": 1}
    torch.save(timm.create_model(name, num_classes=12, **options).state_dict(), tmp_path / "vit.pt")
    module = zoo.load(f"timm:{name}", "digits", 12, tmp_path / "vit.pt", options).module
    assert module(torch.rand(1, 3, 32, 32)).shape == (1, 12)
    with pytest.raises(RobenchError, match="does not take the options"):
        zoo.load(f"timm:{name}", "digits", 12, tmp_path / "vit.pt", {"no_such": 1})


def test_a_module_takes_a_checkpoint_and_stays_as_it_is(spec: str, tmp_path: Path) -> None:
    module = zoo.load("tr_none_nc", "digits", 10).module.train()
    hook = module.register_forward_hook(lambda *given: None)
    module(torch.rand(2, 3, 32, 32)).sum().backward()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    grads = [parameter.grad.clone() for parameter in module.parameters()]
    card = robench.evaluate(
        module, checkpoint=tmp_path / "wrong.pt", name="turned", progress=True, twin="none", **SETTINGS
    )
    assert card.measurements[0].correct < 8
    assert repr(card).startswith("<Card turned: 16 images of digits, quick version ")
    assert module.training
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert all(torch.equal(p.grad, grad) for p, grad in zip(module.parameters(), grads, strict=True))
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert list(module._forward_hooks) == [hook.id]


def test_a_card_is_saved_where_one_says(tmp_path: Path) -> None:
    card = robench.evaluate("tr_none_nc", twin="none", **SETTINGS)
    assert card.save(tmp_path / "deep" / "mine.json") == tmp_path / "deep" / "mine.json"
    again = cards.read(tmp_path / "deep" / "mine.json")
    assert again.difference(card)[0].difference.value == 0
    with pytest.raises(RobenchError, match="was measured without a twin"):
        again.difference()
