"""Peers of dctMotion with its defaults: a clip without its lowest temporal coefficient, which is its mean."""

from dct import Matrix
from peer import Unavailable


class Scipy:
    """DCT, zero, inverse DCT, as the definition reads."""

    def __init__(self, clip, threads):
        import numpy
        import scipy.fft

        self.version = f"scipy {scipy.__version__}"
        self.fft, self.float32 = scipy.fft, numpy.float32
        self.clip, self.options, self.result = clip, dict(axis=0, norm="ortho", workers=threads), None

    def run(self):
        coefficients = self.fft.dct(self.clip.astype(self.float32, copy=False), **self.options)
        coefficients[0] = 0
        self.result = self.fft.idct(coefficients, overwrite_x=True, **self.options)

    def outputs(self):
        return {"out": self.result}


class Mean:
    """For who knows that it is the mean: torch.sub into an array that is kept."""

    def __init__(self, clip, threads):
        import torch

        torch.set_num_threads(threads)
        self.torch, self.version = torch, f"torch {torch.__version__}"
        self.clip = torch.from_numpy(clip)
        self.result = torch.empty(clip.shape)

    def run(self):
        clip = self.clip.float()
        self.torch.sub(clip, clip.mean(0, keepdim=True), out=self.result)

    def outputs(self):
        return {"out": self.result.numpy()}


def open_peer(name, parameters, inputs, threads):
    clip = inputs["clip"].numpy()
    frames = parameters["frames"]
    if name == "scipy":
        return Scipy(clip, threads)
    if name == "torch mean":
        return Mean(clip, threads)
    if name == "torch matmul":
        return Matrix(clip, [[(t == k) - 1 / frames for t in range(frames)] for k in range(frames)], threads)
    raise Unavailable(f"there is no peer '{name}' of dctMotion")
