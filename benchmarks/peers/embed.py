"""Peers of embed: clips to features, as PyTorch's users get them fastest."""

import torch
from peer import Unavailable
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from video_nets import VERSION, open_clips, open_net


def last_convolution(holder, name):
    """Where the convolution stands that this child ends with; None where it ends with something else."""
    child = getattr(holder, name)
    while isinstance(child, nn.Sequential) and len(child) > 0:
        holder, name, child = child, str(len(child) - 1), child[-1]
    return (holder, name) if isinstance(child, nn.Conv3d) else None


def fold_batch_norm(module):
    """Every BatchNorm into the convolution that stands before it."""
    before = None
    for name, child in list(module.named_children()):
        fold_batch_norm(child)
        if isinstance(child, nn.BatchNorm3d) and before is not None:
            holder, key = before
            setattr(holder, key, fuse_conv_bn_eval(getattr(holder, key), child))
            setattr(module, name, nn.Identity())
        before = last_convolution(module, name)


class Embedding:
    def __init__(self, folded, parameters, inputs, threads):
        torch.set_num_threads(threads)
        self.version = VERSION
        dtype = torch.bfloat16 if parameters["precision"] == "bf16" else torch.float32
        net = open_net(parameters, inputs, "encoder.").eval()
        if folded:
            fold_batch_norm(net)
        self.net = net.to(dtype).to(memory_format=torch.channels_last_3d)
        self.clips = open_clips(inputs["clips"]).to(dtype)
        self.features = None

    def run(self):
        with torch.inference_mode():
            self.features = self.net(self.clips)

    def outputs(self):
        return {"features": self.features.float().contiguous().numpy()}


class BareConvolutions(Embedding):
    """Each convolution alone, on the input that it has in the network."""

    def __init__(self, parameters, inputs, threads):
        super().__init__(False, parameters, inputs, threads)
        self.calls = []
        convolutions = [module for module in self.net.modules() if isinstance(module, nn.Conv3d)]
        hooks = [
            module.register_forward_hook(lambda module, given, _: self.calls.append((module, given[0].clone())))
            for module in convolutions
        ]
        super().run()
        for hook in hooks:
            hook.remove()

    def run(self):
        with torch.inference_mode():
            for convolution, given in self.calls:
                convolution(given)


def open_peer(name, parameters, inputs, threads):
    if name == "torch":
        return Embedding(False, parameters, inputs, threads)
    if name == "torch BatchNorm folded":
        return Embedding(True, parameters, inputs, threads)
    if name == "torch bare convolutions":
        return BareConvolutions(parameters, inputs, threads)
    raise Unavailable(f"there is no peer '{name}' of embed")
