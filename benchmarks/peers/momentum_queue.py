"""Peers of MomentumQueue.infoNce: InfoNCE of queries against their keys and a queue whose keys decay with age."""

import torch
import torch.nn.functional as F
from peer import Unavailable, require_memory
from torch_loss import TorchLoss


class Setting:
    def __init__(self, parameters, inputs):
        self.tau = parameters["temperature"]
        self.on_logit = parameters["decayOn"] == "logit"
        self.keys, self.queue, self.ages = (
            torch.from_numpy(inputs[name].numpy()) for name in ("keys", "queue", "ages")
        )
        self.weights = parameters["decay"] ** self.ages

    def decayed(self):
        """The negatives, and what is added to their logits: VideoMoCo's code scales the queue, each step."""
        if self.on_logit:
            return self.queue * self.weights[:, None], None
        return self.queue, self.weights.log()


def moco_loss(setting, dtype=torch.float32):
    """As MoCo's and VideoMoCo's builders write it: cat and cross_entropy."""
    target = torch.zeros(len(setting.keys), dtype=torch.long)

    def loss(x):
        z, k = F.normalize(x).to(dtype), F.normalize(setting.keys).to(dtype)
        ring, bias = setting.decayed()
        negative = z @ ring.to(dtype).t() / setting.tau
        if bias is not None:
            negative = negative + bias.to(dtype)
        positive = (z * k).sum(1, keepdim=True) / setting.tau
        return F.cross_entropy(torch.cat([positive, negative], 1), target)

    return loss


def logsumexp_loss(setting):
    """The same without the copy that cat makes, and with the temperature on the small side."""

    def loss(x):
        z, k = F.normalize(x) / setting.tau, F.normalize(setting.keys)
        ring, bias = setting.decayed()
        negative = z @ ring.t()
        if bias is not None:
            negative = negative + bias
        positive = (z * k).sum(1)
        return (torch.logaddexp(positive, negative.logsumexp(1)) - positive).mean()

    return loss


class FlashAttention:
    """The queue as keys and values of one attention: its output is the negatives' pull, its log-sum-exp the loss."""

    def __init__(self, setting, x, dtype, threads):
        if not setting.on_logit:
            raise Unavailable("attention has no weights outside the exponential")
        torch.set_num_threads(threads)
        self.version = f"torch {torch.__version__}"
        self.setting, self.x, self.dtype = setting, x, dtype
        self.attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        self.result = None

    def run(self):
        setting, dtype = self.setting, self.dtype
        norms = self.x.norm(dim=1, keepdim=True).clamp_min(1e-12)
        z, k = self.x / norms, F.normalize(setting.keys)
        ring = setting.decayed()[0].to(dtype)[None, None]
        pull, top = self.attention(z.to(dtype)[None, None], ring, ring, scale=1 / setting.tau)
        pull, negatives = pull[0, 0].float(), top.reshape(-1).float()
        positive = (z * k).sum(1) / setting.tau
        total = torch.logaddexp(positive, negatives)
        share = (positive - total).exp()[:, None]
        gradient = ((share - 1) * k + (1 - share) * pull) / (len(z) * setting.tau)
        gradient = (gradient - (gradient * z).sum(1, keepdim=True) * z) / norms
        self.result = ((total - positive).mean(), gradient)

    def outputs(self):
        loss, gradient = self.result
        return {"loss": loss.reshape(1).numpy(), "gradient": gradient.contiguous().numpy()}


def open_peer(name, parameters, inputs, threads):
    require_memory(6 * 4 * parameters["rows"] * parameters["capacity"])
    setting = Setting(parameters, inputs)
    x = torch.from_numpy(inputs["queries"].numpy())
    if name.startswith("torch flash attention"):
        dtype = torch.bfloat16 if name.endswith("bf16") else torch.float32
        return FlashAttention(setting, x, dtype, threads)
    losses = {
        "torch eager": ("eager", moco_loss(setting)),
        "torch eager logsumexp": ("eager", logsumexp_loss(setting)),
        "torch autocast": ("autocast", logsumexp_loss(setting)),
        "torch bf16": ("bf16", moco_loss(setting, torch.bfloat16)),
        "torch compile": ("compile", logsumexp_loss(setting)),
        "torch compile autocast": ("compile-autocast", logsumexp_loss(setting)),
    }
    if name not in losses:
        raise Unavailable(f"there is no peer '{name}' of infoNce")
    style, loss = losses[name]
    return TorchLoss(style, loss, x, threads)
