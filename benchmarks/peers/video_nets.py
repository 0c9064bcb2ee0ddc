"""The video networks in PyTorch, with the other side's weights: torchvision's where it has them."""

import sys

import torch
from peer import Unavailable
from torch import nn

try:
    import torchvision
except RuntimeError:  # built for another torch; the networks need none of its compiled operators
    for name in [m for m in sys.modules if m.startswith("torchvision")]:
        del sys.modules[name]
    for op in ("nms", "qnms"):
        torch.library.define(f"torchvision::{op}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision
from torchvision.models.video import resnet

VERSION = f"torchvision {torchvision.__version__}, torch {torch.__version__}"
BLOCKS = {"r3d_10": [1, 1, 1, 1], "r3d_18": [2, 2, 2, 2]}


def narrow_r3d(blocks, width):
    """torchvision's R3D with other numbers of blocks and channels."""

    def scaled(channels):
        return max(1, round(channels * width))

    class Stem(nn.Sequential):
        def __init__(self):
            conv = nn.Conv3d(3, scaled(64), (3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False)
            super().__init__(conv, nn.BatchNorm3d(scaled(64)), nn.ReLU(inplace=True))

    class Net(resnet.VideoResNet):
        def _make_layer(self, block, conv_builder, planes, blocks, stride=1):
            if stride == 1:  # the first; torchvision has its width before
                self.inplanes = scaled(64)
            return super()._make_layer(block, conv_builder, scaled(planes), blocks, stride)

    return Net(resnet.BasicBlock, [resnet.Conv3DSimple] * 4, blocks, Stem)


class C3d(nn.Module):
    """Eight convolutions with BatchNorm, pooled after 1, 2, 4 and 6 of them; the mean of what the last one gives."""

    LAYERS = {"1": 64, "2": 128, "3a": 256, "3b": 256, "4a": 512, "4b": 512, "5a": 512, "5b": 512}
    POOLED_BEFORE = {"2": (1, 2, 2), "3a": 2, "4a": 2, "5a": 2}

    def __init__(self):
        super().__init__()
        channels = 3
        for name, out in self.LAYERS.items():
            setattr(self, f"conv{name}", nn.Conv3d(channels, out, 3, padding=1, bias=False))
            setattr(self, f"bn{name}", nn.BatchNorm3d(out))
            channels = out
        self.fc = nn.Identity()

    def forward(self, x):
        for name in self.LAYERS:
            if name in self.POOLED_BEFORE:
                x = nn.functional.max_pool3d(x, self.POOLED_BEFORE[name])
            x = getattr(self, f"bn{name}")(getattr(self, f"conv{name}")(x))
            x = nn.functional.relu(x, inplace=True)
        return self.fc(x.mean((2, 3, 4)))


def plain_net(arch, width):
    if arch == "c3d" and width == 1:
        return C3d()
    if arch in ("r3d_18", "r2plus1d_18") and width == 1:
        return getattr(torchvision.models.video, arch)(weights=None)
    if arch in BLOCKS:
        return narrow_r3d(BLOCKS[arch], width)
    raise Unavailable(f"there is no {arch} of width {width} for PyTorch here")


def load_weights(module, inputs, prefix):
    """All of them, by name; BatchNorm's counters stay."""
    weights = {
        name[len(prefix) :]: torch.from_numpy(entry.numpy()) for name, entry in inputs.items() if name.startswith(prefix)
    }
    missing, unexpected = module.load_state_dict(weights, strict=False)
    wrong = [name for name in missing if not name.endswith("num_batches_tracked")] + unexpected
    if wrong:
        raise ValueError(f"weights of other names: {', '.join(wrong[:5])}")


def open_net(parameters, inputs, prefix):
    """The network without its classifier: clips (N, 3, T, H, W) to features (N, dim)."""
    net = plain_net(parameters["arch"], parameters["width"])
    net.fc = nn.Identity()
    load_weights(net, inputs, prefix)
    return net


def open_clips(entry):
    """(N, T, H, W, 3) as (N, 3, T, H, W) in channels_last_3d."""
    return torch.from_numpy(entry.numpy()).permute(0, 4, 1, 2, 3)
