"""Print docs/noise.md: how far each corruption takes an image, by scikit-image's PSNR and SSIM.

python docs/measure_noise.py [--data-dir DIR] > docs/noise.md
"""

import argparse
from pathlib import Path

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from robench.corruptions import CORRUPTIONS, Amount
from robench.corruptions.apply import corrupt
from robench.data.base import Dataset
from robench.data.load import load

IMAGES = 200


def quality(data: Dataset, name: str, amount: Amount) -> tuple[float, float]:
    """Mean PSNR in dB, over the images that were changed, and mean SSIM of corrupted images against clean ones."""
    noisy = corrupt(data.images, name, amount, seed=0)
    pairs = list(zip(data.images, noisy, strict=True))
    psnr = [peak_signal_noise_ratio(clean, other) for clean, other in pairs]
    ssim = [structural_similarity(clean, other, channel_axis=0) for clean, other in pairs]
    changed = np.isfinite(psnr)  # saturation leaves a grey image as it is
    return float(np.mean(np.array(psnr)[changed])) if changed.any() else float("inf"), float(np.mean(ssim))


def table(data: Dataset) -> str:
    """A markdown table of every corruption and severity: amount if it is one number, PSNR, SSIM."""
    lines = ["| corruption | 1 | 2 | 3 | 4 | 5 |", "| --- | --- | --- | --- | --- | --- |"]
    for name in CORRUPTIONS:
        cells = []
        for amount in CORRUPTIONS[name].amounts:
            psnr, ssim = quality(data, name, amount)
            setting = "" if isinstance(amount, tuple) else f"{amount:g}: "
            cells.append(f"{setting}{psnr:.1f} dB, {ssim:.2f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="where CIFAR-10 is; without it only the digits are measured")
    arguments = parser.parse_args()
    print("# How strong is each corruption?\n")
    print("Printed by `python docs/measure_noise.py --data-dir DIR`; do not edit.\n")
    print("Each cell: the parameter, if it is a single number, then mean PSNR (of images that change) and mean SSIM")
    print(
        "(scikit-image), at severities 1 to 5, seed 0. The parameters are CIFAR-10-C's (Hendrycks and Dietterich 2019)."
    )
    print("What each corruption is, and how it is held against other code: [corruptions.md](corruptions.md).")
    sets = [load("cifar10", data_dir=arguments.data_dir)] if arguments.data_dir else []
    for data in [*sets, load("digits")]:
        print(f"\n## {data.name}: the first {IMAGES} images of {data.source}\n\n{table(data.first(IMAGES))}")


if __name__ == "__main__":
    main()
