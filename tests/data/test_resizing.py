import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from robench.core.errors import RobenchError
from robench.data.resizing import InputSize, Resizing, resizing

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (61, 83, 3), np.uint8))


@given(st.integers(5, 400), st.integers(5, 400), st.sampled_from(["bilinear", "bicubic"]))
@settings(deadline=None, max_examples=40)
def test_it_is_what_torchvision_does(width: int, height: int, interpolation: str) -> None:
    photo = PHOTO.resize((width, height))
    mode = transforms.InterpolationMode[interpolation.upper()]
    theirs = transforms.Compose([transforms.Resize(73, mode), transforms.CenterCrop(64)])(photo)
    ours = Resizing((64, 64), 73, interpolation)(photo)
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.parametrize(
    "name", ["resnet18", "efficientnet_b0", "convnext_atto", "vit_tiny_patch16_224", "dm_nfnet_f0"]
)
def test_it_is_what_timm_does(name: str) -> None:
    config = timm.data.resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    _, height, width = config["input_size"]
    wanted = InputSize(width, height, config["crop_pct"], config["interpolation"], config["crop_mode"] == "squash")
    rule = resizing({(83, 61), (61, 83)}, wanted)
    theirs = timm.data.create_transform(**config, normalize=False)(PHOTO)
    theirs = theirs if isinstance(theirs, torch.Tensor) else transforms.functional.pil_to_tensor(theirs)
    theirs = (theirs * 255).round() if theirs.is_floating_point() else theirs
    assert np.array_equal(np.asarray(rule(PHOTO)), theirs.permute(1, 2, 0).to(torch.uint8).numpy())


@pytest.mark.parametrize(
    ("sizes", "wanted", "rule"),
    [
        ({(32, 32)}, None, "images of 32x32 pixels as they are"),
        ({(500, 375)}, None, "images of 500x375 pixels as they are"),
        ({(32, 32)}, InputSize(224, 224), "images of 32x32 pixels as they are"),
        ({(224, 224)}, InputSize(224, 224), "images of 224x224 pixels as they are"),
        ({(256, 256)}, InputSize(224, 224, 0.9, "bicubic"), "shorter side to 248 pixels (bicubic), central 224x224"),
        ({(32, 32)}, InputSize(224, 224, 1, fixed=True), "shorter side to 224 pixels (bilinear), central 224x224"),
        ({(32, 32), (9, 9)}, None, "shorter side to 256 pixels (bilinear), central 224x224"),
        ({(32, 32), (9, 9)}, InputSize(64, 48, 0.5), "scaled to 128x96 pixels (bilinear), central 64x48"),
        ({(1, 2), (2, 1)}, InputSize(64, 64, 1, squash=True), "scaled to 64x64 pixels (bilinear), central 64x64"),
    ],
)
def test_the_rule_in_words(sizes: set, wanted: InputSize | None, rule: str) -> None:
    assert str(resizing(sizes, wanted)) == rule


def test_images_of_another_size_are_refused_where_nothing_is_resized() -> None:
    with pytest.raises(RobenchError, match="has 83x61 pixels, and the others 61x83"):
        Resizing((61, 83))(PHOTO)
