"""Peers of ntXent: rows i and i + N are the two views of one instance."""

import torch
import torch.nn.functional as F
from peer import Unavailable, require_memory
from torch_loss import TorchLoss

STYLES = {
    "torch eager": "eager",
    "torch autocast": "autocast",
    "torch bf16": "bf16",
    "torch compile": "compile",
    "torch compile autocast": "compile-autocast",
}


def plain_loss(rows, tau, whole_in_bf16):
    """cross_entropy over the similarity matrix, as the SimCLR repositories write it."""
    target = torch.arange(rows).roll(-(rows // 2))

    def loss(x):
        z = F.normalize(x)
        if whole_in_bf16:
            z = z.bfloat16()
        s = (z / tau) @ z.t()
        s.fill_diagonal_(float("-inf"))
        return F.cross_entropy(s, target)

    return loss


def metric_learning(name, x, tau, threads):
    """pytorch-metric-learning. With two views an instance, its SupConLoss is the same function as its NTXentLoss."""
    import pytorch_metric_learning
    from pytorch_metric_learning import losses

    rows = len(x)
    if name.endswith("NTXentLoss"):
        # Its matrix of positives by negative pairs is rows^3 values, and about six of them live at once.
        require_memory(6 * 4 * rows**3)
        module = losses.NTXentLoss(temperature=tau)
    else:
        module = losses.SupConLoss(temperature=tau)
    labels = torch.arange(rows // 2).repeat(2)
    peer = TorchLoss("eager", lambda leaf: module(leaf, labels), x, threads)
    peer.version = f"pytorch-metric-learning {pytorch_metric_learning.__version__}, {peer.version}"
    return peer


def open_peer(name, parameters, inputs, threads):
    rows, tau = parameters["rows"], parameters["temperature"]
    x = torch.from_numpy(inputs["embeddings"].numpy())
    if name in STYLES:
        require_memory(6 * 4 * rows**2)
        return TorchLoss(STYLES[name], plain_loss(rows, tau, name == "torch bf16"), x, threads)
    if name.startswith("pytorch-metric-learning"):
        return metric_learning(name, x, tau, threads)
    raise Unavailable(f"there is no peer '{name}' of ntXent")
