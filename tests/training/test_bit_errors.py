"""Training with errors in the memory: what the errors are, that they are taken back, and what they are for."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from robench.data.load import load
from robench.faults.chips import below
from robench.quantizers.attach import quantized
from robench.training.bit_errors import erring
from robench.training.recipe import Recipe, load_recipe
from robench.training.trainer import Trainer, build


def recipe(quantizer: str) -> Recipe:
    shipped = load_recipe("digits/twn_resnet20")
    return replace(
        shipped,
        architecture="convnet",
        options={"width": 0.125},
        quantizer=quantizer,
        epochs=1,
        full_precision=0.0,
        start="tr_none_nc",
        bit_errors=0.05,
    )


@pytest.mark.parametrize("quantizer", ["bwn", "twn", "int8", "int4"])
def test_weights_err_as_long_as_the_block_lasts(quantizer: str) -> None:
    model = build(recipe(quantizer), 10).train()
    rules = {name: (rule, latent) for name, rule, latent in quantized(model)}
    sound = {name: rule(latent).detach().clone() for name, (rule, latent) in rules.items()}
    bits = sum(weight.numel() for weight in sound.values()) * next(iter(rules.values()))[0].bits
    with erring(model, 0.05, torch.Generator().manual_seed(0)):
        changed = 0
        for name, (rule, latent) in rules.items():
            weight = rule(latent)
            changed += int((weight.detach() - sound[name]).abs().gt(1e-6).sum())
            # What is read is a stored weight: nothing else than the values that codes stand for.
            assert rule.store(latent.detach()).scale is not None
            (gradient,) = torch.autograd.grad(weight.sum(), latent)
            assert gradient.abs().sum() > 0
        assert 0.3 * 0.05 * bits < changed < 1.2 * 0.05 * bits
    assert all(torch.equal(rule(latent).detach(), sound[name]) for name, (rule, latent) in rules.items())


def test_each_step_has_a_chip_of_its_own_and_a_run_the_same_ones() -> None:
    model = build(recipe("twn"), 10)

    def errors(rng: torch.Generator) -> torch.Tensor:
        with erring(model, 0.05, rng):
            return torch.cat([rule.error.flatten() for _, rule, _ in quantized(model) if rule.error is not None])

    rng, again = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    first, second = errors(rng), errors(rng)
    assert not torch.equal(first, second)
    assert torch.equal(errors(again), first)


def test_each_step_sees_errors_and_batch_norm_keeps_the_statistics_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    monkeypatch.setattr(
        "robench.training.bit_errors.below", lambda size, rate, streams: seen.append(rate) or below(size, rate, streams)
    )
    data = load("digits", "train").first(128)
    trainer = Trainer(recipe("twn"), data, tmp_path / "a.pt")
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.run(lambda epoch: None)
    assert seen == [0.05, 0.05]
    after = trainer.model.state_dict()
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if "running" in name or "num_batches" in name} <= kept
    assert not any(name.endswith(("weight", "original")) for name in kept)


def test_errors_are_for_a_network_that_works_already() -> None:
    with pytest.raises(ValueError, match="name a model of the zoo in start"):
        replace(recipe("twn"), start="")
