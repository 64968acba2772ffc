"""Data sets that are Python objects: arrays, tensors, and the data sets of torch, torchvision and Hugging Face."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from robench.core.errors import RobenchError, foreign_code
from robench.core.files import short
from robench.data.arrays import from_arrays
from robench.data.base import Dataset
from robench.data.labels import read_labels
from robench.data.lazy import LazyImages, Pictures
from robench.data.tables import IMAGES, LABELS, SPLITS

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch.utils.data import DataLoader

FORMS = (
    "a name, (images, labels) as arrays or tensors, a list of (image, label), a data set of torch, torchvision or "
    "Hugging Face, a DataLoader, or a robench.data.Dataset"
)
CHECKED = 8
"""Items that are read twice, to see that an object gives the same each time, and its labels those of its items."""


@runtime_checkable
class Items(Protocol):
    """What has a length, and an item for each index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


def from_object(thing: object) -> Dataset:
    """A data set of an object of the user's.

    Arrays and tensors are read into memory as they are. Of a data set that gives PIL images, images are read when they
    are needed, and resized by the rule of image files (see ``robench.data.resizing``); of one that gives tensors or
    arrays, all items are read once. A DataLoader that shuffles is read in the order of its data set.

    Args:
        thing: one of ``FORMS``.

    Raises:
        RobenchError: it is none of these, has no labels, or its images or labels cannot be used.
    """
    if isinstance(thing, Dataset):
        return thing
    name = f"python:{type(thing).__name__}"
    if isinstance(thing, tuple | list) and _is_pair(thing):
        return from_arrays(_array(thing[0], "images"), _array(thing[1], "labels"), "python:arrays", "arrays")
    if isinstance(thing, Mapping):
        return _of_mapping(thing)
    if _is_array(thing):
        raise RobenchError("dataset= needs labels beside the images: dataset=(images, labels).")
    with foreign_code(f"the data set {type(thing).__name__}"):
        if isinstance(thing, _torch_data().DataLoader):
            return _of_loader(thing, name)
        if isinstance(thing, _torch_data().TensorDataset) and len(thing.tensors) == 2:
            images, labels = (_array(tensor, "tensors") for tensor in thing.tensors)
            return from_arrays(images, labels, name, "tensors")
        if isinstance(thing, Items) and not isinstance(thing, str | bytes):
            return _of_items(thing, name)
    if isinstance(thing, Iterable):
        raise RobenchError(
            f"a {type(thing).__name__} can be read but once, and has no length; give a list of its first items: "
            "list(itertools.islice(it, 1000))."
        )
    raise RobenchError(f"dataset= takes {FORMS}; not a {type(thing).__name__}.")


def _torch_data() -> Any:
    import torch.utils.data

    return torch.utils.data


def _is_array(thing: object) -> bool:
    import torch

    return isinstance(thing, np.ndarray | torch.Tensor)


def _is_pair(thing: Sequence[object]) -> bool:
    """Whether it is (images, labels), and no list of items."""
    return len(thing) == 2 and (isinstance(thing, tuple) or all(map(_is_array, thing)))


def _array(thing: object, what: str) -> npt.NDArray:
    import torch

    if isinstance(thing, torch.Tensor):
        if thing.is_meta:
            raise RobenchError(f"the {what} are a tensor without memory (device meta); give one with its values.")
        tensor = thing.detach().cpu()
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    if isinstance(thing, Sequence) and len(thing) and _is_array(thing[0]):
        return _stacked([_array(part, what) for part in thing])
    try:
        array = np.asarray(thing)
    except (TypeError, ValueError) as error:  # lists of several lengths
        raise RobenchError(f"the {what} have several shapes; make them one array.") from error
    if array.dtype == object:
        if array.size and all(isinstance(value, str) for value in array.flat):
            return array.astype(str)
        raise RobenchError(f"the {what} are Python objects ({type(thing).__name__}); give arrays or tensors.")
    return array


def _stacked(arrays: list[npt.NDArray]) -> npt.NDArray:
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        found = ", ".join(map(str, shapes[:4]))
        raise RobenchError(f"the images have several sizes ({found}); resize them to one, or give PIL images.")
    return np.stack(arrays)


def _of_mapping(thing: Mapping[str, Any]) -> Dataset:
    """Of a dictionary with images and labels, or one with a data set for each split."""
    for split in SPLITS["test"]:
        if split in thing:
            return from_object(thing[split])
    keys = [next((name for name in names if name in thing), None) for names in (("x", *IMAGES), LABELS)]
    if None in keys:
        raise RobenchError(f"a dictionary must have x and y, or images and labels; it has {short(', '.join(thing))}.")
    return from_object(tuple(thing[key] for key in keys if key))


def _of_loader(loader: "DataLoader[Any]", name: str) -> Dataset:
    """What a DataLoader gives in one pass, in the order of its data set."""
    data = _torch_data()
    if not isinstance(loader.sampler, data.SequentialSampler | data.dataloader._InfiniteConstantSampler):  # noqa: SLF001
        found = from_object(loader.dataset)
        kind = type(loader.sampler).__name__
        note = f"the DataLoader draws its images ({kind}): its data set is read in order, and whole"
        return Dataset(name, found.source, found.images, found.labels, found.classes, (note, *found.notes))
    images, labels = [], []
    for batch in loader:
        x, y = _halves(batch)
        images.append(_array(x, "images"))
        labels.append(_array(y, "labels"))
    if not images:
        raise RobenchError("the DataLoader gives no images.")
    shapes = {array.shape[1:] for array in images}
    if len(shapes) > 1:
        raise RobenchError(f"the images have several sizes ({', '.join(map(str, sorted(shapes)[:4]))}); resize them.")
    classes = _class_names(loader.dataset)
    called = ("the images", "the labels")
    return from_arrays(np.concatenate(images), np.concatenate(labels), name, "DataLoader", called, classes)


def _of_items(thing: Any, name: str) -> Dataset:
    """Of an object with a length, whose items are an image and a label each."""
    if not len(thing):
        raise RobenchError("the data set has no images.")
    _check_steady(thing)
    first, _ = _halves(thing[0])
    source, classes = type(thing).__name__, _class_names(thing)
    if not _is_picture(first):
        items = [_halves(thing[index]) for index in range(len(thing))]
        pixels = _stacked([_array(image, "images") for image, _ in items])
        labels = _array([_plain(label) for _, label in items], "labels")
        return from_arrays(pixels, labels, name, source, classes=classes)
    found = read_labels(_labels(thing), f"the labels of the {source}", classes)
    images = LazyImages(Pictures(_picture_of(thing), lambda index: f"image {index}"), np.arange(len(thing)))
    return Dataset(name, source, images, found.labels, found.names, found.notes)


def _check_steady(thing: Any) -> None:
    """Raise RobenchError where the first items are others when they are read again."""
    for index in range(min(CHECKED, len(thing))):
        first, second = (np.asarray(_halves(thing[index])[0]) for _ in range(2))
        if not np.array_equal(first, second):
            raise RobenchError(
                f"the {type(thing).__name__} gives another image {index} each time that it is read; leave out "
                "transforms that draw random numbers."
            )


def _halves(item: Any) -> tuple[Any, Any]:
    """Image and label of an item, or images and labels of a batch."""
    if isinstance(item, tuple | list) and len(item) == 2:
        return item[0], item[1]
    if isinstance(item, Mapping):
        keys = [
            next((name for name in names if name in item), None) for names in (("x", "pixel_values", *IMAGES), LABELS)
        ]
        if None not in keys:
            return item[keys[0]], item[keys[1]]
        raise RobenchError(f"its items must have an image and a label, and have {short(', '.join(map(str, item)))}.")
    raise RobenchError(f"its items must be (image, label), not {type(item).__name__}.")


def _is_picture(image: object) -> bool:
    from PIL.Image import Image

    return isinstance(image, Image)


def _picture_of(thing: Any) -> "Callable[[int], Image]":
    from PIL import Image

    lock = Lock()  # nothing says that the object may be read by several threads at once

    def get(index: int) -> "Image.Image":
        with lock:
            image, _ = _halves(thing[index])
            if not isinstance(image, Image.Image):
                raise RobenchError(f"a {type(image).__name__}, where others are images")
            return image.copy()  # whoever reads it closes it

    return get


def _labels(thing: Any) -> npt.NDArray:
    """The labels of all items: from a list that the data set has of them where it agrees, else from each item."""
    known = _listed(thing)
    if known is not None and len(known) == len(thing):
        checked = range(min(CHECKED, len(thing)))
        if all(_plain(_halves(thing[index])[1]) == _plain(known[index]) for index in checked):
            return _array([_plain(label) for label in known], "labels")
    return _array([_plain(_halves(thing[index])[1]) for index in range(len(thing))], "labels")


def _listed(thing: Any) -> Any:
    """A list of labels that torchvision's data sets have, or a column of Hugging Face's."""
    columns = getattr(thing, "column_names", None)
    if isinstance(columns, list):
        column = next((name for name in LABELS if name in columns), None)
        return thing[column] if column else None
    return next((found for name in ("targets", "labels") if (found := getattr(thing, name, None)) is not None), None)


def _plain(label: Any) -> Any:
    """A label as a number, a text, or a list of numbers."""
    array = _array(label, "labels")
    return array.item() if array.ndim == 0 else array.tolist()


def _class_names(thing: Any) -> tuple[str, ...]:
    """The names of the classes, as torchvision and Hugging Face keep them; none where there are none."""
    features = getattr(thing, "features", None)
    if isinstance(features, Mapping):
        column = next((name for name in LABELS if name in features), None)
        names = getattr(features[column], "names", None) if column else None
    else:
        names = getattr(thing, "classes", None)
    fits = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    return tuple(names) if fits and names else ()
