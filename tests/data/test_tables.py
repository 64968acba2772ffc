import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import robench
from robench.core import optional
from robench.core.errors import RobenchError
from robench.data.base import Dataset
from robench.data.load import load

pa = pytest.importorskip("pyarrow")
datasets = pytest.importorskip("datasets")
parquet = pytest.importorskip("pyarrow.parquet")

X = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
Y = np.arange(12) % 3
NAMES = ["ant", "bee", "cow"]


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


PNGS = [png(pixels) for pixels in X]


def saved(folder: Path, name: str = "test.parquet", rows: int = 5, **columns: object) -> Path:
    """A Parquet file of these columns, in row groups of five rows."""
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), folder / name, row_group_size=rows)
    return folder / name


def hugging_face(part: slice = slice(None)) -> "datasets.Dataset":
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})
    images = [Image.fromarray(pixels) for pixels in X[part]]
    return datasets.Dataset.from_dict({"image": images, "label": Y[part].tolist()}, features=features)


def same(data: Dataset, part: slice = slice(None)) -> bool:
    """Whether the images and labels are those of a part, in its order, had in any way."""
    images = X[part].transpose(0, 3, 1, 2)
    backwards = np.arange(len(images))[::-1]
    return (
        np.array_equal(data.images[:], images)
        and np.array_equal(data.images[backwards], images[backwards])
        and np.array_equal(data.labels, Y[part])
    )


def test_parquet_of_bytes(tmp_path: Path) -> None:
    assert same(load(f"parquet:{saved(tmp_path, image=PNGS, label=Y)}"))


def test_parquet_of_bytes_and_names_as_datasets_writes_it(tmp_path: Path) -> None:
    hugging_face().to_parquet(tmp_path / "x.parquet")
    data = load(f"parquet:{tmp_path}/x.parquet")
    assert same(data)
    assert data.classes == tuple(NAMES)
    assert data.notes == ("classes: 0 = ant, 1 = bee, 2 = cow",)


def test_a_folder_of_parquet_files_by_split(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for place, part in enumerate((slice(0, 3), slice(3, 4))):
        saved(folder, f"test-{place:05}-of-00002.parquet", image=PNGS[part], label=Y[part])
    saved(folder, "train-00000-of-00001.parquet", image=PNGS[4:], label=Y[4:])
    assert same(load(f"parquet:{tmp_path}"), slice(0, 4))
    assert same(load(f"parquet:{tmp_path}", "train"), slice(4, 12))
    with pytest.raises(RobenchError, match="training images need a folder"):
        load(f"parquet:{folder}/test-00000-of-00002.parquet", "train")


def test_a_path_in_a_parquet_file_is_never_opened(tmp_path: Path) -> None:
    Image.fromarray(X[0]).save(tmp_path / "private.png")
    path = str(tmp_path / "private.png")
    only_paths = [{"bytes": None, "path": path}] * 12
    for images in (only_paths, [path] * 12):
        with pytest.raises(RobenchError, match="a path, which is not opened"):
            load(f"parquet:{saved(tmp_path, image=images, label=Y)}")
    later = load(f"parquet:{saved(tmp_path, image=[{'bytes': PNGS[0], 'path': path}, *only_paths[1:]], label=Y)}")
    with pytest.raises(RobenchError, match=r"11 images cannot be used: row 1 of test\.parquet .*not opened"):
        later.fingerprint  # noqa: B018


def test_strings_and_other_labels_in_a_table(tmp_path: Path) -> None:
    data = load(f"parquet:{saved(tmp_path, img=PNGS, target=[NAMES[label] for label in Y])}")
    assert same(data)
    assert data.classes == tuple(NAMES)
    assert same(load(f"parquet:{saved(tmp_path, image=PNGS, label=np.eye(3, dtype=int)[Y].tolist())}"))
    coded = pa.array([NAMES[label] for label in Y]).dictionary_encode()
    assert same(load(f"parquet:{saved(tmp_path, image=PNGS, label=coded)}"))


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"picture_of": PNGS, "label": Y}, "must have a column image .* has picture_of, label"),
        ({"image": PNGS, "kind": Y}, "must have a column label"),
        ({"image": PNGS, "label": [None, *Y[1:]]}, "are missing in 1 of 12 rows"),
        ({"image": PNGS, "label": [[0], [0, 1]] * 6}, "must be whole numbers, one-hot, or strings"),
        ({"image": PNGS, "label": [{"a": 1}] * 12}, "must be whole numbers"),
        ({"image": PNGS, "label": Y - 1}, "run from -1 to 1"),
        ({"image": Y, "label": Y}, "must hold encoded images .* holds int"),
        ({"image": PNGS[:0], "label": Y[:0]}, "holds 0 rows"),
    ],
)
def test_another_table_is_one_sentence(columns: dict, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(RobenchError, match=sentence):
        load(f"parquet:{saved(tmp_path, **columns)}")


def test_a_damaged_table_is_one_sentence(tmp_path: Path) -> None:
    path = saved(tmp_path, image=PNGS, label=Y)
    content = path.read_bytes()
    for damaged in (b"hello", content[:-9], content[:4] + bytes(200) + content[204:]):
        path.write_bytes(damaged)
        with pytest.raises(RobenchError, match=r"cannot be (read|used)"):
            load(f"parquet:{path}").fingerprint  # noqa: B018
    with pytest.raises(RobenchError, match="there is no Parquet file"):
        load(f"parquet:{tmp_path}/none.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RobenchError, match="there is no Parquet file"):
        load(f"parquet:{tmp_path}/empty")


def test_a_folder_that_datasets_saved(tmp_path: Path) -> None:
    hugging_face().save_to_disk(tmp_path / "one", num_shards=2)
    data = load(f"hf:{tmp_path}/one")
    assert same(data)
    assert data.classes == tuple(NAMES)
    splits = {"train": hugging_face(slice(0, 8)), "test": hugging_face(slice(8, 12)).select([3, 2, 1, 0])}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "two")
    assert same(load(f"hf:{tmp_path}/two"), slice(11, 7, -1))
    assert same(load(f"hf:{tmp_path}/two", "train"), slice(0, 8))
    with pytest.raises(RobenchError, match="holds one split"):
        load(f"hf:{tmp_path}/one", "train")


def test_what_lies_beside_the_files_of_a_saved_folder_is_not_read(tmp_path: Path) -> None:
    hugging_face().save_to_disk(tmp_path / "other")
    hugging_face(slice(0, 6)).save_to_disk(tmp_path / "one")
    state = json.loads((tmp_path / "one" / "state.json").read_text())
    state["_data_files"].append({"filename": "../other/data-00000-of-00001.arrow"})
    (tmp_path / "one" / "state.json").write_text(json.dumps(state))
    (tmp_path / "one" / "cache-123.arrow").write_bytes(b"of another data set")
    assert same(load(f"hf:{tmp_path}/one"), slice(0, 6))
    (tmp_path / "one" / "state.json").write_text(json.dumps(state | {"_indices_files": [{"filename": "i.arrow"}]}))
    with pytest.raises(RobenchError, match="call flatten_indices"):
        load(f"hf:{tmp_path}/one")
    (tmp_path / "one" / "data-00000-of-00001.arrow").write_bytes(b"hello")
    (tmp_path / "one" / "state.json").unlink()
    with pytest.raises(RobenchError, match="cannot be read"):
        load(f"hf:{tmp_path}/one")


def test_a_folder_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RobenchError, match="there is no folder"):
        load("hf:nowhere")
    with pytest.raises(RobenchError, match="is no folder that datasets saved with a test split"):
        load(f"hf:{tmp_path}")


def test_without_the_extra_it_is_one_sentence_with_the_line_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name="pyarrow")

    path = saved(tmp_path, image=PNGS, label=Y)
    hugging_face().save_to_disk(tmp_path / "one")
    monkeypatch.setattr(optional.importlib, "import_module", missing)
    for spec in (f"parquet:{path}", f"hf:{tmp_path}/one"):
        with pytest.raises(RobenchError, match=r"needs the package pyarrow; run: pip install 'robench\[hf\]'"):
            load(spec)


def test_a_parquet_file_is_evaluated_as_its_images_are(digits: Dataset, tmp_path: Path) -> None:
    few = digits.first(40)
    path = saved(tmp_path, rows=7, image=[png(x.transpose(1, 2, 0)) for x in few.images], label=few.labels)
    settings = {"suite": "quick", "conditions": "corruption/gaussian", "n_images": 40, "twin": "none"}
    model = robench.load_model("tr_none_nc", "digits")
    first, second = (robench.evaluate(model, spec, **settings) for spec in (few, f"parquet:{path}"))
    assert first.data.fingerprint == second.data.fingerprint
    for one, other in zip(first.measurements, second.measurements, strict=True):
        assert np.array_equal(one.top1, other.top1)
