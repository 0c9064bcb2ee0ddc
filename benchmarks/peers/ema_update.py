"""Peers of emaUpdate: target <- m target + (1 - m) source."""

from peer import Unavailable

TENSORS = 62  # as R3D-18 has; the last takes what is left


class Torch:
    """One flat tensor, one list of tensors, or a loop over them as VideoMoCo's code has it."""

    def __init__(self, style, target, source, momentum, threads):
        import torch

        torch.set_num_threads(threads)
        self.version = f"torch {torch.__version__}"
        self.torch, self.style, self.momentum = torch, style, momentum
        self.target, self.source = torch.from_numpy(target), torch.from_numpy(source)
        size = -(-len(target) // TENSORS)
        self.targets, self.sources = list(self.target.split(size)), list(self.source.split(size))

    def run(self):
        weight = 1 - self.momentum
        if self.style == "flat":
            self.target.lerp_(self.source, weight)
        elif self.style == "foreach":
            self.torch._foreach_lerp_(self.targets, self.sources, weight)
        else:
            for key, query in zip(self.targets, self.sources):
                key.data = key.data * self.momentum + query.data * weight

    def outputs(self):
        target = self.torch.cat(self.targets) if self.style == "loop" else self.target
        return {"target": target.numpy()}


class Numpy:
    def __init__(self, target, source, momentum):
        import numpy

        self.version = f"numpy {numpy.__version__}"
        self.numpy, self.target, self.source, self.momentum = numpy, target, source, numpy.float32(momentum)
        self.scaled = numpy.empty_like(target)

    def run(self):
        self.numpy.multiply(self.source, 1 - self.momentum, out=self.scaled)
        self.target *= self.momentum
        self.target += self.scaled

    def outputs(self):
        return {"target": self.target}


def open_peer(name, parameters, inputs, threads):
    target, source = inputs["target"].numpy(), inputs["source"].numpy()
    styles = {"torch lerp_": "flat", "torch foreach lerp_": "foreach", "torch loop": "loop"}
    if name in styles:
        return Torch(styles[name], target, source, parameters["momentum"], threads)
    if name == "numpy":
        return Numpy(target, source, parameters["momentum"])
    raise Unavailable(f"there is no peer '{name}' of emaUpdate")
