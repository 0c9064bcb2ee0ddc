"""Peers of dct: orthonormal DCT-II over the leading axis of (frames, pixels), one result array kept."""

import math

from peer import Unavailable


class Scipy:
    """scipy.fft.dct over axis 0; with several threads its workers share the lines."""

    def __init__(self, clip, threads):
        import numpy
        import scipy.fft

        self.version = f"scipy {scipy.__version__}"
        self.clip, self.threads, self.result = clip, threads, None
        self.dct, self.float32 = scipy.fft.dct, numpy.float32

    def run(self):
        clip = self.clip.astype(self.float32, copy=False)
        self.result = self.dct(clip, axis=0, norm="ortho", workers=self.threads)

    def outputs(self):
        return {"out": self.result}


class Matrix:
    """torch.mm with the small matrix of the transform."""

    def __init__(self, clip, matrix, threads):
        import torch

        torch.set_num_threads(threads)
        self.torch, self.version = torch, f"torch {torch.__version__}"
        self.clip = torch.from_numpy(clip)
        self.matrix = torch.tensor(matrix, dtype=torch.float32)
        self.result = torch.empty(len(matrix), clip.shape[1])

    def run(self):
        self.torch.mm(self.matrix, self.clip.float(), out=self.result)

    def outputs(self):
        return {"out": self.result.numpy()}


class OpenCv:
    """cv2.dct knows rows alone, so the clip is transposed for it and back."""

    def __init__(self, clip, threads):
        import cv2
        import numpy

        cv2.setNumThreads(threads)
        self.version = f"OpenCV {cv2.__version__}"
        self.cv2, self.float32, self.clip, self.result = cv2, numpy.float32, clip, None

    def run(self):
        rows = self.cv2.transpose(self.clip.astype(self.float32, copy=False))
        self.result = self.cv2.transpose(self.cv2.dct(rows, flags=self.cv2.DCT_ROWS))

    def outputs(self):
        return {"out": self.result}


def dct_matrix(frames):
    def entry(k, t):
        scale = math.sqrt((1 if k == 0 else 2) / frames)
        return scale * math.cos(math.pi * (2 * t + 1) * k / (2 * frames))

    return [[entry(k, t) for t in range(frames)] for k in range(frames)]


def open_peer(name, parameters, inputs, threads):
    clip = inputs["clip"].numpy()
    if name == "scipy":
        return Scipy(clip, threads)
    if name == "torch matmul":
        return Matrix(clip, dct_matrix(parameters["frames"]), threads)
    if name == "OpenCV":
        return OpenCv(clip, threads)
    raise Unavailable(f"there is no peer '{name}' of dct")
