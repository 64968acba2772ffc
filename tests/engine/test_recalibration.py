import torch
from torch import nn

from robench.engine.recalibration import recalibrate, recalibrated, statistics


def test_statistics_are_those_of_the_images() -> None:
    images = torch.randint(0, 256, (500, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    norm = nn.BatchNorm2d(3, momentum=0.2)
    norm.running_mean.fill_(7)
    model = nn.Sequential(norm, nn.Flatten()).train()
    recalibrate(model, images)
    pixels = images.float() / 255
    torch.testing.assert_close(norm.running_mean, pixels.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, pixels.var((0, 2, 3)), rtol=1e-3, atol=0)
    assert norm.momentum == 0.2
    assert not norm.training


def test_it_restores_a_model_whose_weights_were_scaled() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
    images = torch.randint(0, 256, (250, 3, 8, 8), dtype=torch.uint8)
    recalibrate(model, images)
    before = model(images.float() / 255)
    with torch.no_grad():
        model[0].weight.mul_(3)
        model[0].bias.mul_(3)
    recalibrate(model, images)
    torch.testing.assert_close(model(images.float() / 255), before, rtol=1e-3, atol=1e-3)


def small_network() -> nn.Sequential:
    """With statistics that are not those of any images."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten()).eval()
    model[1].running_mean.fill_(0.25)
    model[1].running_var.fill_(0.5)
    return model


def random_images(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_statistics_follow_a_change_of_scale_and_shift_from_where_they_were() -> None:
    model, images = small_network(), random_images(250)
    pixels = images.float() / 255
    expected, before = model(pixels), statistics(model, images)
    model[0].weight.mul_(3)
    model[0].bias.mul_(3).add_(1)
    with recalibrated(model, images, before) as fits:
        assert fits
        torch.testing.assert_close(model(pixels), expected, rtol=1e-3, atol=1e-3)
    assert model[1].running_mean.tolist() == [0.25] * 4
    assert not torch.allclose(model(pixels), expected, atol=0.1)


@torch.no_grad()
def test_without_a_distortion_nothing_changes() -> None:
    model, images = small_network(), random_images(300)
    pixels = images.float() / 255
    expected = model(pixels)
    with recalibrated(model, images, statistics(model, images)):
        torch.testing.assert_close(model(pixels), expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(model(pixels), expected)
