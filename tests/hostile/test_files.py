"""Hostile and clumsy files: each is refused in one sentence, quickly, and without memory out of proportion."""

import json
import os
import pickle
import resource
import sqlite3
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from robench import suites, zoo
from robench.core import arrays
from robench.core.errors import RobenchError
from robench.data.load import load as load_data
from robench.measure.store import Store
from robench.quantizers import files as weights
from robench.results import cards
from robench.training.export import start
from robench.training.recipe import RECIPES as SHIPPED
from robench.training.recipe import load_recipe
from robench.zoo.checkpoints import read_checkpoint

Case = tuple[Callable[[Path], object], str]
SECONDS, MEGABYTES = 10, 1000
PIXELS = np.zeros((2, 32, 32, 3), np.uint8)
FRAME = 'name = "mine"\nversion = 1\nn_images = 5\nseed = 0\n[[conditions]]\nkind = "attack"\nnames = ["pgd"]\n'
ZOO = zoo.root() / "digits" / "twn_resnet20"


def peak() -> float:
    """The most memory that this process has held, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# Suites and recipes.
SUITES = {
    "unknown key": ("colour = 1\n" + FRAME, "there is no key 'colour'"),
    "name that leaves its folder": (FRAME.replace("mine", "../../README"), "the name of a suite cannot be"),
    "absolute name": (FRAME.replace("mine", "/tmp/x"), "the name of a suite cannot be"),
    "empty name": (FRAME.replace("mine", ""), "the name of a suite cannot be"),
    "version nan": (FRAME.replace("version = 1", "version = nan"), "version must be a whole number"),
    "true for a number": (FRAME.replace("n_images = 5", "n_images = true"), "n_images must be a whole number"),
    "too many images": (FRAME.replace("= 5", f"= {10**18}"), "n_images must be at most"),
    "seed of text": (FRAME.replace("seed = 0", 'seed = "x"'), "seed must be a whole number"),
    "large seed": (FRAME.replace("seed = 0", f"seed = {10**23}"), "seed must be at most"),
    "names of text": (FRAME.replace('["pgd"]', '"clean"'), "names must be a list"),
    "date": (FRAME.replace("seed = 0", "seed = 2026-01-01"), "write text in quotes, or numbers"),
    "draws": (FRAME + f"levels = [0.1]\ndraws = {10**9}", "draws must be at most 1000"),
    "no draws": (FRAME + "levels = [0.1]\ndraws = 0", "draws must be at least 1"),
    "steps below 1": (FRAME + "levels = [0.1]\nparams = { steps = -5 }", "steps of the attack pgd must be"),
    "endless steps": (FRAME + f"levels = [0.1]\nparams = {{ steps = {10**12} }}", "steps of the attack pgd must be"),
    "steps of nan": (FRAME + "levels = [0.1]\nparams = { steps = nan }", "steps"),
    "steps of lists": (FRAME + "levels = [0.1]\nparams = { steps = [1] }", "params.steps must be"),
    "levels of text": (FRAME + 'levels = "123"', "levels must be a list"),
    "fraction by 0": (FRAME + 'levels = ["1/0"]', "a level must be a number"),
    "search of text": (FRAME + 'levels = [0.1]\nsearch = "no"', "search must be true or false"),
    "deep": (FRAME + "levels = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    "quote forgotten": (FRAME.replace('"mine"', '"mine'), "is not TOML"),
    "no queries": (
        FRAME.replace("pgd", "square") + "levels = [0.1]\nparams = { queries = 0 }",
        "queries of the attack square must be",
    ),
    "amount without end": (
        FRAME.replace("attack", "corruption").replace("pgd", "poisson") + f"params = {{ amount = {10**12} }}",
        "the amount of poisson must be",
    ),
    "clean and dirty": (FRAME.replace("attack", "clean").replace("pgd", "dirty"), "the clean condition is"),
}
RECIPE = (SHIPPED / "digits" / "twn_resnet20.toml").read_text()
RECIPES = {
    "name that leaves its folder": ('name = "twn_resnet20"', 'name = "../../../x"', "the name of a recipe cannot be"),
    "no average": ("epochs", "average = -1\nepochs", "average must be at least 0"),
    "rate of nan": ("learning_rate = ", "learning_rate = nan #", "learning_rate must be a finite number"),
    "adversarial": ("epochs", 'adversarial = "8/0"\nepochs', "adversarial must be a fraction"),
    "smoothing": ("epochs", "label_smoothing = 5\nepochs", "label_smoothing must be less than 1"),
}


@pytest.mark.parametrize("name", SUITES)
def test_suites(name: str, tmp_path: Path) -> None:
    text, sentence = SUITES[name]
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(RobenchError, match=sentence):
        suites.load(str(tmp_path / "s.toml"))


@pytest.mark.parametrize("name", RECIPES)
def test_recipes(name: str, tmp_path: Path) -> None:
    before, after, sentence = RECIPES[name]
    assert before in RECIPE
    (tmp_path / "r.toml").write_text(RECIPE.replace(before, after, 1))
    with pytest.raises(RobenchError, match=sentence):
        load_recipe(str(tmp_path / "r.toml"))


# Data.
def npz(folder: Path, **arrays: object) -> object:
    np.savez(folder / "d.npz", **arrays)
    return load_data(f"npz:{folder / 'd.npz'}")


def raw(folder: Path, content: bytes) -> object:
    (folder / "d.npz").write_bytes(content)
    return load_data(f"npz:{folder / 'd.npz'}")


def header(folder: Path, text: str, body: bytes = b"") -> object:
    """An .npz whose array x has a header of one's own."""
    packed = text.encode().ljust(117) + b"\n"
    with zipfile.ZipFile(folder / "d.npz", "w") as archive:
        for name in ("x.npy", "y.npy"):
            archive.writestr(name, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(packed)) + packed + body)
    return load_data(f"npz:{folder / 'd.npz'}")


def npy(folder: Path) -> object:
    np.save(folder / "d.npy", PIXELS)
    return load_data(f"npz:{folder / 'd.npy'}")


DATA: dict[str, Case] = {
    "one array": (npy, r"is one array \(.npy\); write an .npz"),
    "empty": (lambda folder: raw(folder, b""), "is empty"),
    "LFS pointer": (lambda folder: raw(folder, b"version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
    "text": (lambda folder: raw(folder, b"hello"), "cannot be read as .npz"),
    "pickle": (lambda folder: raw(folder, pickle.dumps([1])), "cannot be read as .npz"),
    "objects": (lambda folder: npz(folder, x=np.array([None]), y=[0]), "is of Python objects"),
    "labels of floats": (lambda folder: npz(folder, x=PIXELS, y=[0.5, 1.7]), "must be whole numbers"),
    "labels that are no text": (lambda folder: npz(folder, x=PIXELS, y=[b"\xff", b"a"]), "no text in UTF-8"),
    "names of classes in numbers": (lambda folder: npz(folder, x=PIXELS, y=[0, 1], classes=[1, 2]), "must be strings"),
    "labels of complex": (lambda folder: npz(folder, x=PIXELS, y=[1j, 0]), "must be whole numbers"),
    "huge labels": (lambda folder: npz(folder, x=PIXELS, y=[2**31, 0]), "they count from 0"),
    "no images": (lambda folder: npz(folder, x=PIXELS[:0] / 1.0, y=np.zeros(0, int)), "the images x in"),
    "divided twice": (lambda folder: npz(folder, x=np.full(PIXELS.shape, 0.003), y=[0, 1]), "too dark"),
    "tiny images": (lambda folder: npz(folder, x=PIXELS[:, :3, :3], y=[0, 1]), "of 3x3 pixels"),
    "terabytes": (
        lambda folder: header(folder, "{'descr': '|u1', 'fortran_order': False, 'shape': (10000000000000,), }"),
        "declares 10,000,000,000,",
    ),
    "code in a header": (
        lambda folder: header(folder, "{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,), }"),
        "cannot be read as .npz",
    ),
}


@pytest.mark.parametrize("name", DATA)
def test_data(name: str, tmp_path: Path) -> None:
    refused(DATA[name], tmp_path)


def test_data_that_inflate_out_of_proportion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "FREE", 2**20)
    np.savez_compressed(tmp_path / "d.npz", x=np.zeros((3000, 32, 32, 3), np.uint8), y=np.zeros(3000, int))
    with pytest.raises(RobenchError, match="takes 9,216,128 bytes from"):
        load_data(f"npz:{tmp_path / 'd.npz'}")


def refused(tried: Case, folder: Path) -> None:
    """Run a case; it must end in its sentence, soon, and with little memory."""
    function, sentence = tried
    before, started = peak(), time.perf_counter()
    with pytest.raises(RobenchError, match=sentence):
        function(folder)
    assert peak() - before < MEGABYTES
    assert time.perf_counter() - started < SECONDS


# CIFAR-10 batches: whatever a pickle asks for, nothing is built.
class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch was_here",)


def batch(folder: Path, content: bytes) -> object:
    (folder / "test_batch").write_bytes(content)
    return load_data("cifar10", "test", folder)


def nested() -> bytes:
    value: list[object] = [0]
    for _ in range(34):
        value = [value, value]
    return pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": value})


FORGED = (
    b"cnumpy\ndtype\n(S'V8'\nI0\nI1\ntR(I3\nS'|'\nN(S'a'\nt}S'a'\n(cnumpy\ndtype\n(S'O8'\nI0\nI1\ntRI0\nts"
    b"I8\nI1\nI0\ntb."
)
BATCHES = {
    "call": pickle.dumps({b"data": Evil(), b"labels": [0]}),
    "call alone": pickle.dumps(Evil()),
    "forged dtype": FORGED,
    "module that runs when imported": b"cnumpy.f2py.__main__\ndtype\n.",
    "huge array": b"cnumpy\nndarray\n((I1000000000\ntS'O'\ntR.",
    "nested labels": nested(),
    "labels that are none": pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": None}),
    "list": pickle.dumps([1]),
    "cut short": pickle.dumps({b"data": np.zeros((9, 3072), np.uint8), b"labels": [0] * 9})[:-2000],
    "text": b"hello",
}


@pytest.mark.parametrize("name", BATCHES)
def test_batches(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused((lambda folder: batch(folder, BATCHES[name]), "is not an official CIFAR-10 batch"), tmp_path)
    assert not (tmp_path / "was_here").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_batches_that_are_honest_are_read_at_every_protocol(protocol: int, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 3072)).astype(np.uint8)
    found = batch(tmp_path, pickle.dumps({b"data": images, b"labels": [3, 1, 4, 1, 5]}, protocol))
    assert (found.images.reshape(5, -1) == images).all()  # type: ignore[attr-defined]
    assert found.labels.tolist() == [3, 1, 4, 1, 5]  # type: ignore[attr-defined]
    assert "not the official files" in found.source  # type: ignore[attr-defined]


# Image folders.
def picture(folder: Path, image: Image.Image) -> object:
    for name in ("a", "b"):
        (folder / "set" / name).mkdir(parents=True)
        image.save(folder / "set" / name / "x.png")
    return load_data(f"imagefolder:{folder / 'set'}").images[:]


def tiff(folder: Path, image: Image.Image) -> object:
    (folder / "set" / "a").mkdir(parents=True)
    image.save(folder / "set" / "a" / "x.tif")
    return load_data(f"imagefolder:{folder / 'set'}").images[:]


def pipe(folder: Path) -> object:
    (folder / "set" / "a").mkdir(parents=True)
    os.mkfifo(folder / "set" / "a" / "b.png")
    return load_data(f"imagefolder:{folder / 'set'}")


def program(folder: Path) -> object:
    """PostScript by the name of a PNG: Pillow hands it to Ghostscript, which runs it."""
    (folder / "set" / "a").mkdir(parents=True)
    text = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n({folder}/was_here) (w) file closefile showpage\n"
    (folder / "set" / "a" / "x.png").write_text(text)
    try:
        return load_data(f"imagefolder:{folder / 'set'}").images[:]
    finally:
        assert not (folder / "was_here").exists()


FOLDERS: dict[str, Case] = {
    "pipe": (pipe, "has no images in subfolders"),
    "many pixels": (lambda folder: picture(folder, Image.new("1", (13000, 13000))), "which is too many"),
    "32 bits": (lambda folder: tiff(folder, Image.new("F", (32, 32))), "of type F, and neither of 8 nor of 16"),
    "PostScript": (program, "cannot identify image file"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_image_folders(name: str, tmp_path: Path) -> None:
    refused(FOLDERS[name], tmp_path)


def test_hidden_folders_and_links_upwards_are_no_classes(tmp_path: Path) -> None:
    (tmp_path / "set" / ".cache").mkdir(parents=True)
    (tmp_path / "set" / "up").symlink_to(tmp_path, target_is_directory=True)
    picture(tmp_path, Image.new("RGB", (32, 32)))
    found = load_data(f"imagefolder:{tmp_path / 'set'}")
    assert found.classes == ("a", "b")


# Weights and checkpoints.
def lowbit(folder: Path, **form: object) -> object:
    layout = {"w": {"bits": 2, "encoding": "ternary", "shape": [16, 16]} | form}
    tensors = {"w.codes": torch.zeros(16, 4, dtype=torch.uint8), "w.scale": torch.ones(1, 1)}
    save_file(tensors, folder / "w.safetensors", metadata={"lowbit": json.dumps(layout)})
    return weights.load(folder / "w.safetensors")


def checkpoint(folder: Path, value: object) -> object:
    torch.save(value, folder / "c.pt")
    return read_checkpoint(folder / "c.pt")


def written(folder: Path, content: bytes) -> object:
    (folder / "c.pt").write_bytes(content)
    return read_checkpoint(folder / "c.pt")


WEIGHTS: dict[str, Case] = {
    "bits of text": (lambda folder: lowbit(folder, bits="two"), "cannot be read"),
    "bits without end": (lambda folder: lowbit(folder, bits=10**9), "cannot be read"),
    "no bits": (lambda folder: lowbit(folder, bits=None), "cannot be read"),
    "huge shape": (lambda folder: lowbit(folder, shape=[16, 10**9]), "cannot be read"),
    "shape of text": (lambda folder: lowbit(folder, shape="16"), "cannot be read"),
    "no shape": (lambda folder: lowbit(folder, shape=None), "cannot be read"),
    "text": (lambda folder: written(folder, b"hello"), "checkpoint"),
    "LFS pointer": (lambda folder: written(folder, b"version https://git-lfs"), "git lfs pull"),
    "empty": (lambda folder: written(folder, b""), "is empty"),
    "code": (lambda folder: checkpoint(folder, {"w": Evil()}), "holds more than tensors"),
    "number keys": (lambda folder: checkpoint(folder, {1: torch.zeros(1)}), "holds no state dict"),
    "sparse": (lambda folder: checkpoint(folder, {"w": torch.zeros(2, 2).to_sparse()}), "holds no state dict"),
    "nothing": (lambda folder: checkpoint(folder, {}), "holds no state dict"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights(name: str, tmp_path: Path) -> None:
    refused(WEIGHTS[name], tmp_path)


# Cards of the zoo.
CARD = (ZOO / "card.toml").read_text()
ZOO_CARDS = {
    "wide": ('architecture = "resnet20"', 'architecture = "alexnet"', "do not fit the model"),
    "wider": ("[options]", "[options]\nwidth = 1000000", "options.width must be"),
    "no such option": ("[options]", "[options]\ncolour = 3", "the architecture resnet20 with the options"),
    "name": ('name = "twn_resnet20"', "name = 5", "name must be text in quotes"),
    "code": ('architecture = "resnet20"', 'architecture = "os:abort"', "say --trust"),
    "no spread": ("std = [", "std = [-1,", "std"),
    "path for a twin": ('twin = "fp_resnet20"', 'twin = "x.py:make"', "a twin cannot be"),
    "classes": ("num_classes = 10", f"num_classes = {10**12}", "num_classes must be at most"),
    "not so good": ("total = 1000", "total = 3", "images cannot be right"),
}


@pytest.mark.parametrize("name", ZOO_CARDS)
def test_zoo_cards(name: str, tmp_path: Path) -> None:
    before, after, sentence = ZOO_CARDS[name]
    assert before in CARD
    (tmp_path / "card.toml").write_text(CARD.replace(before, after, 1))
    (tmp_path / "weights.safetensors").write_bytes((ZOO / "weights.safetensors").read_bytes())
    refused((zoo.load_folder, sentence), tmp_path)


# Result cards.
BOARD = Path(__file__).parents[2] / "leaderboards" / "cards"
RESULT = "twn_resnet20.digits.robench-v1"
RESULTS = {
    "not JSON": (lambda data: "{", "this is not JSON"),
    "deep": (lambda data: "[" * 100_000, "this is not JSON"),
    "null flags": (lambda data: changed(data, "flags", None), "flags must be a list"),
    "text for a count": (lambda data: changed(data, "correct", "many"), "correct must be a whole number"),
    "huge total": (lambda data: changed(data, "total", 10**10), "has outcomes of"),
    "another count": (lambda data: changed(data, "correct_top5", 1), "do not fit its counts"),
    "draw": (lambda data: changed(data, "draw", 7), "not in its suite"),
    "twice": (lambda data: {**data, "measurements": data["measurements"][:1] * 2}, "is there twice"),
    "none": (lambda data: {**data, "measurements": []}, "measurements must have at least 1 item"),
    "name": (lambda data: {**data, "model": {**data["model"], "name": None}}, "model.name must be text"),
    "no name": (lambda data: {**data, "model": {**data["model"], "name": ""}}, "model.name must not be empty"),
    "no digest": (lambda data: {**data, "model": {**data["model"], "sha256": ""}}, "model.sha256 must be 64"),
    "suite that leaves its folder": (
        lambda data: {**data, "suite": {**data["suite"], "name": "../../README"}},
        "the name of a suite cannot be",
    ),
    "images": (lambda data: {**data, "data": {**data["data"], "n": 7}}, "has outcomes of"),
    "unknown key": (lambda data: {**data, "colour": 1}, "there is no key 'colour'"),
    "another version": (lambda data: {**data, "schema": 99}, "has schema 99"),
}


def changed(data: dict, key: str, value: object) -> dict:
    first, *others = data["measurements"]
    return {**data, "measurements": [{**first, key: value}, *others]}


@pytest.mark.parametrize("name", RESULTS)
def test_result_cards(name: str, tmp_path: Path) -> None:
    change, sentence = RESULTS[name]
    made = change(json.loads((BOARD / f"{RESULT}.json").read_text()))
    (tmp_path / "c.json").write_text(made if isinstance(made, str) else json.dumps(made))
    (tmp_path / "c.outcomes.npz").write_bytes((BOARD / f"{RESULT}.outcomes.npz").read_bytes())
    refused((lambda folder: cards.read(folder / "c.json"), sentence), tmp_path)


def test_outcomes_of_another_card_are_seen(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes((BOARD / f"{RESULT}.json").read_bytes())
    (tmp_path / "c.outcomes.npz").write_bytes((BOARD / "fp_resnet20.digits.robench-v1.outcomes.npz").read_bytes())
    with pytest.raises(RobenchError, match="not those that it was written with"):
        cards.read(tmp_path / "c.json")


# Stores.
def database() -> bytes:
    """What another program might keep."""
    with sqlite3.connect(":memory:") as other:
        other.execute("create table t (a)")
        other.execute("pragma user_version = 5")
        return other.serialize()


STORES = {
    "a text": (b"x", "is no store of measurements"),
    "cut short": (b"SQLite format 3\0 and no more", "is damaged"),
    "another program's": (database(), "is a database of another program"),
}


@pytest.mark.parametrize("name", STORES)
def test_stores(name: str, tmp_path: Path) -> None:
    content, sentence = STORES[name]
    (tmp_path / "s.sqlite").write_bytes(content)
    refused((lambda folder: Store(folder / "s.sqlite"), sentence), tmp_path)
    assert (tmp_path / "s.sqlite").read_bytes() == content


def test_a_store_is_a_file() -> None:
    with pytest.raises(RobenchError, match="names no file"):
        Store(Path(":memory:"))


# Checkpoints of training.
def test_a_damaged_checkpoint_of_a_run_is_told(tmp_path: Path) -> None:
    for content in (b"", b"hello", pickle.dumps(Evil())):
        (tmp_path / "checkpoint.pt").write_bytes(content)
        with pytest.raises(RobenchError, match="is damaged"):
            start(load_recipe("digits/twn_resnet20"), load_data("digits", "train"), tmp_path)
