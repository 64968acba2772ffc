import torch

from robench.architectures import ARCHITECTURES
from robench.architectures.binary_resnet import BinaryUnit, sign


def test_sign_is_binary_and_its_gradient_is_cut_outside_one() -> None:
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0], requires_grad=True)
    assert sign(x).tolist() == [-1, -1, 1, 1, 1]
    sign(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def test_every_inner_convolution_sees_signs_alone() -> None:
    model = ARCHITECTURES["binary_resnet20"](num_classes=10).eval()
    seen = []
    for unit in model.units:
        unit.conv.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    model(torch.randn(2, 3, 32, 32))
    assert len(seen) == 18
    assert all(set(x.unique().tolist()) <= {-1, 1} for x in seen)


def test_a_unit_that_widens_pools_and_doubles_its_shortcut() -> None:
    unit = BinaryUnit(2, 4, 2).eval()
    unit.conv.weight.data.zero_()
    x = torch.randn(1, 2, 4, 4)
    pooled = torch.nn.functional.avg_pool2d(x, 2)
    assert torch.equal(unit(x), torch.cat([pooled, pooled], 1))
