"""What PyTorch's losses have in common: eager, autocast, wholly in bf16, compiled; forward and backward."""

import torch
from peer import Unavailable


class TorchLoss:
    """Runs loss(leaf) and its backward pass; the gradient of `leaf` and the loss are the outputs."""

    def __init__(self, style, loss, leaf, threads):
        torch.set_num_threads(threads)
        self.version = f"torch {torch.__version__}"
        self.leaf = leaf.requires_grad_()
        self.autocast = style.endswith("autocast")
        self.loss = loss
        self.value = None
        if style.startswith("compile"):
            self.loss = torch.compile(loss, dynamic=False)
            try:
                self.run()
            except Exception as error:
                reason = str(error).strip().splitlines() or [""]
                raise Unavailable(f"torch.compile failed: {type(error).__name__}: {reason[0][:200]}") from error

    def run(self):
        self.leaf.grad = None
        if self.autocast:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                self.value = self.loss(self.leaf)
        else:
            self.value = self.loss(self.leaf)
        self.value.backward()

    def outputs(self):
        return {
            "loss": self.value.detach().float().reshape(1).numpy(),
            "gradient": self.leaf.grad.float().contiguous().numpy(),
        }
