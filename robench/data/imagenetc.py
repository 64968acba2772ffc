"""ImageNet-C (Hendrycks and Dietterich 2019, doi:10.5281/zenodo.2235448): folders GROUP/CORRUPTION/SEVERITY/CLASS."""

from functools import partial
from pathlib import Path

from robench.core.errors import RobenchError
from robench.core.files import exists, expanded, short
from robench.core.types import Indices
from robench.data import register
from robench.data.base import Dataset
from robench.data.imagefolder import imagefolder, paths_of
from robench.data.lazy import LazyImages
from robench.data.recorded import FILES, SEVERITIES, Recorded


@register("imagenetc")
def imagenetc(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """ImageNet's validation images, and under a corruption those of ImageNet-C: imagenetc:CORRUPTED,CLEAN, two folders.

    CORRUPTED holds blur/defocus_blur/1/CLASS/FILE and so on, or the same without the first folder; CLEAN is as for
    imagefolder, with the same classes and files.
    """
    corrupted, _, clean = argument.partition(",")
    folder = expanded(Path(corrupted))
    if not clean or not exists(folder, Path.is_dir):
        raise RobenchError("ImageNet-C takes two folders that exist: --dataset imagenetc:CORRUPTED,CLEAN.")
    images = imagefolder(split, clean, data_dir)
    if split != "test":
        return images
    names = {path.stem: place for place, path in enumerate(paths_of(images))}
    there = {
        (name, severity): place
        for name, file in FILES.items()
        for severity in SEVERITIES
        if (place := _place(folder, file, severity))
    }
    if not there:
        raise RobenchError(f"{folder} holds no ImageNet-C: it has folders such as weather/fog/3.")
    for place in there.values():
        _check_same(place, imagefolder("test", str(place), data_dir), names)
    read = partial(_read, there)
    note = "corrupted images are those of ImageNet-C"
    recorded = Recorded(read, frozenset(there), images.images.index)  # type: ignore[union-attr]
    return Dataset(
        "imagenetc", f"{folder.name} and {images.source}", images.images, images.labels, images.classes,
        (*images.notes, note), recorded,
    )  # fmt: skip


def _place(folder: Path, file: str, severity: int) -> Path | None:
    """Where the images of a corruption at a severity are."""
    found = [folder / file / str(severity), *sorted(folder.glob(f"*/{file}/{severity}"))]
    return next((path for path in found if path.is_dir()), None)


def _check_same(place: Path, corrupted: Dataset, names: dict[str, int]) -> None:
    """Raise RobenchError where a folder has not the images that the clean one has, in the same order."""
    found = [path.stem for path in paths_of(corrupted)]
    if found != list(names):
        missing = sorted(set(names) - set(found))
        what = f"lacks {short(missing[0])}" if missing else "has other images"
        raise RobenchError(f"{place} {what}; corrupted and clean folders must hold the same classes and files.")


def _read(there: dict[tuple[str, int], Path], name: str, severity: int, chosen: Indices) -> LazyImages:
    images = imagefolder("test", str(there[name, severity]), None).images
    assert isinstance(images, LazyImages)
    return images.select(chosen)
