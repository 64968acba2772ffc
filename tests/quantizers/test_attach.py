import pytest
import torch

from robench.architectures import ARCHITECTURES
from robench.engine.layers import inner_layers, weighted_layers
from robench.quantizers.attach import after_step, attach, deploy, quantized

X = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def network(quantizer: str) -> torch.nn.Module:
    torch.manual_seed(0)
    model = ARCHITECTURES["resnet20"](num_classes=10)
    attach(inner_layers(model), quantizer)
    return model.eval()


@pytest.mark.parametrize("quantizer", ["fp", "bc", "bwn", "twn", "ttq"])
def test_deployed_weights_compute_what_training_computed(quantizer: str) -> None:
    model = network(quantizer)
    after_step(model)
    floats, codes = deploy(model)
    plain = ARCHITECTURES["resnet20"](num_classes=10).eval()
    plain.load_state_dict(floats | {name: stored.weight() for name, stored in codes.items()})
    with torch.inference_mode():
        torch.testing.assert_close(plain(X), model(X))
    assert len(codes) == (0 if quantizer == "fp" else 18)


def test_first_and_last_layer_stay_full_precision() -> None:
    model = network("twn")
    names = {name for name, _, _ in quantized(model)}
    assert set(weighted_layers(model)) - names == {"conv1", "fc"}


def test_training_moves_the_latent_weights() -> None:
    model = network("ttq").train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = {name: latent.detach().clone() for name, _, latent in quantized(model)}
    model(X).square().sum().backward()
    optimizer.step()
    assert all(not torch.equal(before[name], latent) for name, _, latent in quantized(model))
