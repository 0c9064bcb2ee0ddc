"""Peers of frameDifference: each frame minus the one before it, in fp32, into an array that is kept."""

from peer import Unavailable


class Numpy:
    def __init__(self, clip):
        import numpy

        self.version = f"numpy {numpy.__version__}"
        self.numpy, self.clip = numpy, clip
        self.result = numpy.empty((len(clip) - 1, clip.shape[1]), numpy.float32)

    def run(self):
        self.numpy.subtract(self.clip[1:], self.clip[:-1], out=self.result, dtype=self.numpy.float32)

    def outputs(self):
        return {"out": self.result}


class Torch:
    def __init__(self, clip, threads):
        import torch

        torch.set_num_threads(threads)
        self.torch, self.version = torch, f"torch {torch.__version__}"
        self.clip = torch.from_numpy(clip)
        self.result = torch.empty(len(clip) - 1, clip.shape[1])

    def run(self):
        clip = self.clip.float()
        self.torch.sub(clip[1:], clip[:-1], out=self.result)

    def outputs(self):
        return {"out": self.result.numpy()}


class OpenCv:
    """cv2.subtract, not absdiff: the sign is part of the result."""

    def __init__(self, clip, threads):
        import cv2
        import numpy

        cv2.setNumThreads(threads)
        self.version = f"OpenCV {cv2.__version__}"
        self.cv2, self.clip = cv2, clip
        self.result = numpy.empty((len(clip) - 1, clip.shape[1]), numpy.float32)

    def run(self):
        self.cv2.subtract(self.clip[1:], self.clip[:-1], dst=self.result, dtype=self.cv2.CV_32F)

    def outputs(self):
        return {"out": self.result}


def open_peer(name, parameters, inputs, threads):
    clip = inputs["clip"].numpy()
    if name == "numpy":
        return Numpy(clip)
    if name == "torch":
        return Torch(clip, threads)
    if name == "OpenCV":
        return OpenCv(clip, threads)
    raise Unavailable(f"there is no peer '{name}' of frameDifference")
