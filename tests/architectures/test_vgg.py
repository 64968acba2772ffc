from robench.architectures import ARCHITECTURES
from robench.engine.layers import weighted_layers


def test_width_one_is_the_papers_network() -> None:
    layers = weighted_layers(ARCHITECTURES["convnet"](num_classes=10))
    assert [layer.weight.shape[0] for layer in layers.values()] == [128, 128, 256, 256, 512, 512, 1024, 1024, 10]
    assert layers["classifier.0"].weight.shape[1] == 512 * 4 * 4


def test_width_scales_every_layer_but_the_last() -> None:
    layers = weighted_layers(ARCHITECTURES["convnet"](num_classes=10, width=0.25))
    assert [layer.weight.shape[0] for layer in layers.values()] == [32, 32, 64, 64, 128, 128, 256, 256, 10]
