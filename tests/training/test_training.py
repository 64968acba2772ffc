import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from timm.optim import create_optimizer_v2
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from robench import zoo
from robench.core.errors import RobenchError
from robench.data.base import Dataset
from robench.data.lazy import LazyImages
from robench.data.load import load
from robench.data.resizing import InputSize
from robench.engine import precision
from robench.engine.verdict import count_correct
from robench.quantizers.attach import quantized
from robench.training.augment import augment
from robench.training.export import export, in_words, start
from robench.training.optimizer import computing_in
from robench.training.recipe import RECIPES, Recipe, load_recipe
from robench.training.trainer import BRANCH, Epoch, Trainer, build

PLAIN = (RECIPES / "digits" / "fp_resnet20.toml").read_text()


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load("digits", "train").first(256)


@pytest.fixture
def recipe() -> Recipe:
    return replace(load_recipe("digits/ttq_resnet20"), epochs=2)


@pytest.fixture
def narrow(recipe: Recipe) -> Recipe:
    return replace(recipe, full_precision=0.0, architecture="convnet", options={"width": 0.0625})


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}


def test_training_lowers_the_loss_and_counts_epochs(recipe: Recipe, data: Dataset, tmp_path: Path) -> None:
    epochs: list[Epoch] = []
    Trainer(replace(recipe, epochs=4), data, tmp_path / "c.pt").run(epochs.append)
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4]
    assert epochs[-1].loss < epochs[0].loss


def test_a_killed_run_ends_at_the_same_weights(narrow: Recipe, data: Dataset, tmp_path: Path) -> None:
    recipe = replace(narrow, full_precision=0.5)
    whole = Trainer(recipe, data, tmp_path / "whole.pt")
    whole.run(lambda epoch: None)

    def kill(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trainer(recipe, data, tmp_path / "killed.pt").run(kill)
    resumed = Trainer(recipe, data, tmp_path / "killed.pt")
    assert resumed.done == 1
    resumed.run(lambda epoch: None)
    first, second = weights(whole), weights(resumed)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")
def test_a_run_that_has_diverged_is_one_sentence(narrow: Recipe, data: Dataset, tmp_path: Path) -> None:
    trainer = Trainer(replace(narrow, quantizer="fp"), data, tmp_path / "c.pt")
    list(trainer.model.parameters())[-1].data.fill_(float("inf"))
    with pytest.raises(RobenchError, match=r"has diverged in epoch 1: its loss is nan\. Lower the learning rate"):
        trainer.run(lambda epoch: None)
    assert not (tmp_path / "c.pt").exists()


def test_compiled_training_takes_the_same_steps(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))  # generating code takes a minute
    recipe = load_recipe("digits/tr_round_c")
    small = replace(recipe, epochs=1, full_precision=0, bf16=False, options={"width": 0.03})
    plain, compiled = (Trainer(small, data.first(64), tmp_path / f"{flag}.pt", compiled=flag) for flag in (False, True))
    plain.run(lambda epoch: None)
    compiled.run(lambda epoch: None)
    first, second = weights(plain), weights(compiled)
    assert all(torch.allclose(first[name], second[name], rtol=1e-3, atol=1e-4) for name in first)


def test_compiling_without_a_compiler_is_one_sentence(
    recipe: Recipe, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RobenchError, match="needs a C\\+\\+ compiler"):
        Trainer(recipe, data, tmp_path / "c.pt", compiled=True)


def test_another_seed_gives_other_weights(recipe: Recipe, data: Dataset, tmp_path: Path) -> None:
    trainers = [Trainer(replace(recipe, seed=seed), data, tmp_path / f"{seed}.pt") for seed in (0, 1)]
    first, second = (weights(trainer)["network.fc.weight"] for trainer in trainers)
    assert not torch.equal(first, second)


def test_the_shipped_folder_holds_the_trained_model(recipe: Recipe, data: Dataset, tmp_path: Path) -> None:
    trainer = start(replace(recipe, epochs=1), data, tmp_path)
    trainer.run(lambda epoch: None)
    card = export(trainer, tmp_path)
    loaded = zoo.load(str(tmp_path), "digits", 10)
    assert replace(loaded.card, name=card.name) == card
    assert card.test["total"] == 1000
    x = torch.rand(4, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.module(x), trainer.model.eval()(x), rtol=1e-4, atol=1e-4)


def test_batch_norm_is_recalibrated_on_images_as_they_were_trained_on(
    recipe: Recipe, data: Dataset, tmp_path: Path
) -> None:
    trainer = start(replace(recipe, epochs=1, recalibrate=200, crop=2), data, tmp_path / "run")
    trainer.run(lambda epoch: None)
    export(trainer, tmp_path / "run")
    model, images = trainer.model, trainer.augmented(200)
    assert not torch.equal(images, trainer.images[:200])
    given = model.network.conv1((images.float() / 255 - model.mean) / model.std)
    torch.testing.assert_close(model.network.bn1.running_mean, given.mean((0, 2, 3)), rtol=2e-3, atol=2e-3)


def test_a_folder_of_another_recipe_is_refused(recipe: Recipe, data: Dataset, tmp_path: Path) -> None:
    trainer = start(replace(recipe, epochs=1), data, tmp_path)
    trainer.run(lambda epoch: None)
    with pytest.raises(RobenchError, match="holds a run of another recipe"):
        start(recipe, data, tmp_path)


def test_twins_differ_in_the_quantizer_alone_and_in_what_a_clip_needs() -> None:
    for path in RECIPES.rglob("*.toml"):
        recipe = load_recipe(str(path.relative_to(RECIPES).with_suffix("")))
        if recipe.twin:
            twin = load_recipe(f"{recipe.dataset}/{recipe.twin}")
            free = ["name", "quantizer", "twin", "paper"]
            free += ["clip", "learning_rate", "full_precision", "tested_under", "average"] if recipe.clip else []
            if recipe.start:  # further epochs of the twin itself, or of a low-bit network of that twin
                assert recipe.twin in (recipe.start, zoo.load(recipe.start, recipe.dataset, 10).card.twin)
                free += ["start", "epochs", "learning_rate", "warmup", "full_precision"]
            if recipe.bit_errors:
                free += ["bit_errors", "hold_out", "optimizer", "momentum", "weight_decay"]
            assert replace(recipe, **{name: getattr(twin, name) for name in free}) == twin


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epochs =", "is not TOML"),
        ('name = "x"', "missing key"),
        ("colour = 1", "there is no key 'colour'"),
        (PLAIN + 'adversarial = "-1/255"', "is not from 0 to 1"),
        (PLAIN + "average = -1", "average must be at least 0"),
        (PLAIN + "average = 3", "set recalibrate"),
    ],
)
def test_a_bad_recipe_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(RobenchError, match=sentence):
        load_recipe(str(tmp_path / "r.toml"))


def test_an_unknown_recipe_answers_with_the_nearest() -> None:
    with pytest.raises(RobenchError, match="did you mean digits/twn_resnet20"):
        load_recipe("digits/twn_resnet2")


def test_augmentation_shifts_and_mirrors_whole_images() -> None:
    image = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).repeat(200, 3, 1, 1)
    results = augment(image, crop=1, flip=True, rng=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(image[0], (1, 1, 1, 1))
    expected = {
        tuple((part.flip(2) if mirror else part).flatten().tolist())
        for down in range(3)
        for right in range(3)
        for mirror in (False, True)
        for part in [padded[:, down : down + 8, right : right + 8]]
    }
    assert {tuple(result.flatten().tolist()) for result in results} == expected


@pytest.mark.parametrize(
    ("changes", "reported"),
    [
        ({"hold_out": 32}, {"held_out"}),
        ({"hold_out": 32, "quantizer": "tr_stochm3", "tested_under": ["sign", "round"]}, {"held_out", "under"}),
        ({"quantizer": "fp", "adversarial": "2/255"}, {"robust"}),
        ({"quantizer": "tr_sign", "average": 2, "recalibrate": 64}, set()),
    ],
)
def test_a_resumed_run_of_any_kind_ends_at_the_same_weights(
    changes: dict, reported: set[str], narrow: Recipe, data: Dataset, tmp_path: Path
) -> None:
    recipe = replace(narrow, **changes)
    epochs: list[Epoch] = []
    whole = Trainer(recipe, data, tmp_path / "whole.pt")
    whole.run(epochs.append)
    for name in ("held_out", "under", "robust"):
        assert all((getattr(epoch, name) not in (None, {})) == (name in reported) for epoch in epochs)
    with pytest.raises(InterruptedError):
        Trainer(recipe, data, tmp_path / "killed.pt").run(lambda epoch: (_ for _ in ()).throw(InterruptedError))
    resumed = Trainer(recipe, data, tmp_path / "killed.pt")
    resumed.run(lambda epoch: None)
    first, second = weights(whole), weights(resumed)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_checkpoint_from_before_a_key_was_added_is_resumed(recipe: Recipe, data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    Trainer(replace(recipe, epochs=1), data, path).run(lambda epoch: None)
    state = torch.load(path, weights_only=True)
    del state["recipe"]["average"], state["precisions"]
    torch.save(state, path)
    resumed = Trainer(replace(recipe, epochs=1), data, path)
    assert resumed.done == 1
    assert resumed.precisions == ["bfloat16"]  # which earlier versions used wherever a recipe allowed it
    state["recipe"]["colour"] = "red"
    torch.save(state, path)
    with pytest.raises(FileExistsError):
        Trainer(replace(recipe, epochs=1), data, path)


@pytest.mark.parametrize(
    ("fast", "allowed", "expected"), [(True, True, "bfloat16"), (False, True, "float32"), (True, False, "float32")]
)
def test_training_is_in_bfloat16_where_the_device_is_fast_and_the_recipe_allows_it(
    fast: bool,
    allowed: bool,
    expected: str,
    narrow: Recipe,
    data: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision, "fast_in_bfloat16", lambda device: fast)
    trainer = start(replace(narrow, epochs=1, bf16=allowed), data.first(64), tmp_path)
    seen = set()
    trainer.model.network.register_forward_hook(lambda network, inputs, logits: seen.add(logits.dtype))
    epochs: list[Epoch] = []
    trainer.run(epochs.append)
    assert seen == {getattr(torch, expected)}
    assert [epoch.precision for epoch in epochs] == [expected]
    assert export(trainer, tmp_path).training["precision"] == expected


class Dtypes(TorchDispatchMode):
    """The types of all tensors that are made while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[torch.dtype] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.seen.update(leaf.dtype for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor))
        return result


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
@pytest.mark.parametrize("fast", [True, False])
def test_nothing_is_computed_in_bfloat16_where_it_is_slow(
    fast: bool, optimizer: str, narrow: Recipe, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "fast_in_bfloat16", lambda device: fast)
    recipe = replace(narrow, epochs=1, optimizer=optimizer, quantizer="fp", adversarial="2/255", hold_out=16)
    trainer = Trainer(recipe, data.first(64), tmp_path / "c.pt")
    with Dtypes() as made:
        trainer.run(lambda epoch: None)
    assert (torch.bfloat16 in made.seen) == fast


def test_muon_orthogonalizes_in_the_chosen_precision() -> None:
    gradient = torch.randn(16, 24, generator=torch.Generator().manual_seed(0))

    def update(name: str) -> torch.Tensor:
        weight = torch.nn.Parameter(torch.zeros(16, 24))
        weight.grad = gradient.clone()
        optimizer = create_optimizer_v2([weight], opt="muon", lr=1.0, weight_decay=0.0, momentum=0.0)
        with computing_in(name):
            optimizer.step()
        return weight.detach()

    errors = {name: float((update(name) - update("float64")).abs().max()) for name in ("bfloat16", "float32")}
    assert errors["float32"] < 1e-5
    assert 1e-4 < errors["bfloat16"] < 1e-2


def test_a_run_may_go_on_in_the_other_precision(narrow: Recipe, data: Dataset, tmp_path: Path) -> None:
    few = data.first(64)
    with pytest.raises(InterruptedError):
        start(narrow, few, tmp_path, precision="bfloat16").run(lambda epoch: (_ for _ in ()).throw(InterruptedError))
    resumed = start(narrow, few, tmp_path, precision="float32")
    assert (resumed.precision, resumed.precisions) == ("float32", ["bfloat16"])
    epochs: list[Epoch] = []
    resumed.run(epochs.append)
    assert [epoch.precision for epoch in epochs] == ["float32"]
    assert export(resumed, tmp_path).training["precision"] == "bfloat16 to epoch 1, float32 to epoch 2"
    assert Trainer(narrow, few, tmp_path / "checkpoint.pt").precisions == ["bfloat16", "float32"]


def test_precisions_in_words() -> None:
    assert in_words(["float32"] * 3) == "float32"
    assert in_words(["bfloat16", "bfloat16", "float32", "bfloat16"]) == (
        "bfloat16 to epoch 2, float32 to epoch 3, bfloat16 to epoch 4"
    )


def test_averaged_weights_are_the_mean_of_those_after_the_last_epochs(
    narrow: Recipe, data: Dataset, tmp_path: Path
) -> None:
    recipe = replace(narrow, quantizer="tr_sign", epochs=3, average=2, recalibrate=64)
    found = []
    trainer = start(recipe, data, tmp_path)
    trainer.run(lambda epoch: found.append(weights(trainer)))
    for name, parameter in trainer.model.named_parameters():
        torch.testing.assert_close(parameter.data, (found[1][name] + found[2][name]) / 2)
    assert export(trainer, tmp_path).training["weights"] == "average of the last 2 epochs"


def test_weights_are_judged_as_they_would_be_shipped(recipe: Recipe, data: Dataset, tmp_path: Path) -> None:
    recipe = replace(recipe, quantizer="twn", full_precision=0.0, hold_out=64, tested_under=["sign"])
    epochs: list[Epoch] = []
    trainer = Trainer(recipe, data, tmp_path / "c.pt")
    trainer.run(epochs.append)
    held_out = count_correct(trainer.model, data.split(64)[1]) / 64
    assert epochs[-1].held_out == held_out
    assert weights(trainer).keys() == weights(Trainer(recipe, data, tmp_path / "other.pt")).keys()


def test_a_distortion_that_is_none_is_refused_at_the_start(recipe: Recipe, data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(RobenchError, match="power takes a finite level"):
        Trainer(replace(recipe, tested_under=["power"]), data, tmp_path / "c.pt")


@pytest.mark.parametrize(("quantizer", "after"), [("twn", {}), ("ttq", {}), ("tr_sign", {"average": 1})])
def test_a_run_that_branches_off_its_twin_ends_where_a_run_of_its_own_does(
    quantizer: str, after: dict, narrow: Recipe, data: Dataset, tmp_path: Path
) -> None:
    recipe = replace(narrow, full_precision=0.5, recalibrate=64)
    twin, recipe = replace(recipe, name="fp", quantizer="fp"), replace(recipe, quantizer=quantizer, **after)
    alone = Trainer(recipe, data, tmp_path / "alone.pt")
    alone.run(lambda epoch: None)
    (tmp_path / "fp").mkdir()
    Trainer(twin, data, tmp_path / "fp" / "c.pt").run(lambda epoch: None)
    branch = Trainer(recipe, data, tmp_path / "branch.pt")
    branch.branch(tmp_path / "fp" / BRANCH)
    assert branch.done == 1
    branch.run(lambda epoch: None)
    first, second = weights(alone), weights(branch)
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(FileExistsError):
        Trainer(replace(recipe, seed=1), data, tmp_path / "other.pt").branch(tmp_path / "fp" / BRANCH)


def test_held_out_images_are_not_trained_on(recipe: Recipe, data: Dataset, tmp_path: Path) -> None:
    trainer = Trainer(replace(recipe, hold_out=32), data, tmp_path / "c.pt")
    together = torch.cat([trainer.images, torch.from_numpy(trainer.held_out.images)])
    assert len(trainer.images) == 224
    assert sorted(map(hash, map(bytes, together.numpy()))) == sorted(map(hash, map(bytes, data.images)))


def test_a_seed_is_in_the_names_of_model_and_twin(recipe: Recipe) -> None:
    other = recipe.with_seed(2)
    assert (other.name, other.twin, other.seed) == ("ttq_resnet20_seed2", "fp_resnet20_seed2", 2)
    assert recipe.with_seed(0) == recipe


def test_training_may_start_from_a_model_of_the_zoo() -> None:
    recipe = load_recipe("digits/int4_resnet20")
    model = build(recipe, 10)
    state = zoo.load("fp_resnet20", "digits", 10).module.state_dict()
    latents = {f"{name}.weight": latent for name, _, latent in quantized(model)}
    assert len(latents) == 18
    assert all(torch.equal(state[name], latent) for name, latent in latents.items())
    assert torch.equal(state["network.bn1.running_mean"], model.state_dict()["network.bn1.running_mean"])


def test_what_quantizes_activations_is_not_trained_with() -> None:
    with pytest.raises(RobenchError, match="w8a8 is for quantization after training: robench evaluate --quantize w8a8"):
        build(replace(load_recipe("digits/int4_resnet20"), quantizer="w8a8"), 10)


def test_image_files_are_decoded_batch_by_batch(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    for index in range(40):
        folder = tmp_path / "set" / "train" / "ab"[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 20 + index, 3), dtype=np.uint8)).save(folder / f"{index}.jpg")
    monkeypatch.setattr("robench.data.resizing.IMAGENET", InputSize(16, 16))
    data = load(f"imagefolder:{tmp_path / 'set'}", "train")
    decoded: list[int] = []
    gathered = LazyImages._gathered

    def count(self: LazyImages, futures: list, numbers: np.ndarray) -> np.ndarray:
        decoded.append(len(numbers))
        return gathered(self, futures, numbers)

    monkeypatch.setattr(LazyImages, "_gathered", count)
    settings = {"epochs": 1, "full_precision": 0.0, "architecture": "alexnet", "options": {"width": 0.03}}
    small = replace(recipe, **settings, hold_out=8).for_data(data.name, data)
    trainer = Trainer(small, data, tmp_path / "c.pt")
    trainer.run(lambda epoch: None)
    assert trainer.augmented(12).shape == (12, 3, 16, 16)
    assert max(decoded) == 12
    assert sum(decoded) == 36 + 4 + 12
