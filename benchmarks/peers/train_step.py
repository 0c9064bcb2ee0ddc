"""A training step on two views of each video in PyTorch, as its users write it at its best: autocast, channels last."""

import torch
import torch.nn.functional as F
from peer import Unavailable
from torch import nn
from video_nets import VERSION, load_weights, open_clips, open_net


class Head(nn.Module):
    """Hidden layers of Linear, BatchNorm and ReLU, then a Linear, which may have a BatchNorm without shift."""

    def __init__(self, sizes, hidden_norm, bias, output_norm):
        super().__init__()
        last = len(sizes) - 2
        self.linear = nn.ModuleList(
            nn.Linear(sizes[i], sizes[i + 1], bias=not output_norm if i == last else bias) for i in range(last + 1)
        )
        self.norm = nn.ModuleList(nn.BatchNorm1d(size) for size in sizes[1:-1] if hidden_norm)
        if output_norm:
            self.norm.append(nn.BatchNorm1d(sizes[-1]))
            self.norm[-1].register_parameter("bias", None)

    def forward(self, x):
        for i, linear in enumerate(self.linear):
            x = linear(x)
            if i < len(self.norm):
                x = self.norm[i](x)
            if i + 1 < len(self.linear):
                x = F.relu(x, inplace=True)
        return x


def open_head(parameters, inputs, bias, output_norm):
    prefix = "model.head."
    layers = parameters["headLayers"]
    shapes = [inputs[f"{prefix}linear.{i}.weight"].shape for i in range(layers + 1)]
    sizes = [shapes[0][1]] + [shape[0] for shape in shapes]
    head = Head(sizes, parameters["headNorm"], bias, output_norm)
    load_weights(head, inputs, prefix)
    return head


def optimizer_of(parameters, weights):
    """Without decay of biases and BatchNorm, which are the parameters of one axis."""
    decay = parameters["weightDecay"]
    groups = [
        {"params": [w for w in weights if w.dim() > 1], "weight_decay": decay},
        {"params": [w for w in weights if w.dim() <= 1], "weight_decay": 0.0},
    ]
    if parameters["optimizer"] == "adamw":
        return torch.optim.AdamW(groups, lr=parameters["lr"], fused=True)
    if parameters["optimizer"] == "sgd":
        return torch.optim.SGD(groups, lr=parameters["lr"], momentum=parameters["momentum"], fused=True)
    raise Unavailable(f"the optimizer {parameters['optimizer']} is not PyTorch's")


class ContrastiveStep:
    """NT-Xent between two views: forward, backward, optimizer."""

    def __init__(self, parameters, inputs, threads, bias, output_norm):
        torch.set_num_threads(threads)
        self.version = VERSION
        self.bf16 = parameters["precision"] == "bf16"
        net = open_net(parameters, inputs, "model.encoder.")
        net.fc = open_head(parameters, inputs, bias, output_norm)
        self.net = net.to(memory_format=torch.channels_last_3d).train()
        self.optimizer = optimizer_of(parameters, list(net.parameters()))
        self.clips = torch.cat([open_clips(inputs["view1"]), open_clips(inputs["view2"])])
        self.temperature, self.scale = parameters["temperature"], parameters["lossScale"]
        rows = len(self.clips)
        self.target = torch.arange(rows).roll(rows // 2)
        self.first = None
        self.note = note_of_gradient(self.clips, self.net, self.bf16)

    def run(self):
        self.optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            z = self.net(self.clips)
        z = F.normalize(z.float())
        s = z @ z.t() / self.temperature
        s.fill_diagonal_(float("-inf"))
        loss = self.scale * F.cross_entropy(s, self.target)
        loss.backward()
        self.optimizer.step()
        loss = loss.item()  # a loop that trains looks at it
        self.first = loss if self.first is None else self.first

    def outputs(self):
        return {"loss": torch.tensor([self.first]).numpy()}


def note_of_gradient(clips, net, bf16):
    """Whether the gradient of the last convolution is right: a wrong one can be fast."""
    if not bf16:
        return None
    seen = []
    last = [module for module in net.modules() if isinstance(module, nn.Conv3d) and module.kernel_size[1] > 1][-1]
    hook = last.register_forward_hook(lambda _, given, out: seen.append((given[0], out.shape)))
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        net.eval()(clips[:2])
    hook.remove()
    net.train()
    (x, shape), weight = seen[0], last.weight
    upstream = torch.randn(shape, generator=torch.Generator().manual_seed(1))

    def gradient(kind):
        given = [upstream.to(kind), x.to(kind), weight.detach().to(kind)]
        given[:2] = [one.contiguous(memory_format=torch.channels_last_3d) for one in given[:2]]
        options = (last.stride, last.padding, last.dilation, False, [0, 0, 0], 1, [False, True, False])
        return torch.ops.aten.convolution_backward(*given, None, *options)[1].float()

    truth = gradient(torch.float32)
    error = ((gradient(torch.bfloat16) - truth).norm() / truth.norm()).item()
    if error < 0.05:
        return None
    off = f"off by {error:.2g} of its norm" if error < 1e30 else "not finite"
    return f"its weight gradient of the last stage is {off}"
