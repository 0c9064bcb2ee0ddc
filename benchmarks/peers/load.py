"""Peers of the loader: clips decoded and augmented by PyAV, OpenCV and torchvision, with the parameters of our plans.

Each clip of the plan says which pictures of a file it has, from which of them decoding may begin, and every augmentation
parameter. Files are worked on in threads, one at a time each, and all clips of a file together.
"""

import json
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from load_augment import OpenCvAugment, TorchvisionAugment
from load_files import DecodedFiles, OpenCv, PyAv, RawFiles
from peer import Unavailable


class Pipeline:
    """All clips of the plan, the files in threads."""

    def __init__(self, inputs, threads, augmenter, files=None, raw=None):
        clips = json.loads(inputs["plan"].numpy().tobytes())
        self.augmenter, self.files, self.raw = augmenter, files, raw
        self.pictures = {name: one.numpy() for name, one in inputs.items() if name.startswith("pictures ")}
        groups = defaultdict(list)
        for clip in clips:
            source = clip["source"]
            groups[source.get("path", source.get("id"))].append(clip)
        self.groups = list(groups.values())
        self.pool = ThreadPoolExecutor(threads, initializer=one_thread_each)
        self.version = ", ".join(dict.fromkeys(one.version for one in (files, raw, augmenter) if one))
        self.note = getattr(augmenter, "note", None)
        self.clips = []

    def work(self, clips):
        if self.files:
            found = self.files.of(clips)
        elif self.raw:
            found = self.raw.pictures(clips[0]["source"], {index for clip in clips for index in clip["pictures"]})
        made = {}
        for clip in clips if self.augmenter else []:
            if self.pictures:
                pictures = self.pictures[f"pictures {clip['source']['id']}"]
            else:
                pictures = [found[index] for index in clip["pictures"]]
            made[clip["name"]] = self.augmenter.augment(clip, pictures)
        return made

    def run(self):
        self.clips = list(self.pool.map(self.work, self.groups))

    def outputs(self):
        if hasattr(self.augmenter, "exact"):
            self.augmenter.exact = True
            self.run()
            self.augmenter.exact = False
        return {name: clip.reshape(-1) for made in self.clips for name, clip in made.items()}


def one_thread_each():
    """OpenMP's number of threads is one of each thread that asks for some."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)


PEERS = {
    "PyAV, pictures dropped": lambda: {"augmenter": None, "files": DecodedFiles(PyAv(), keeps=False)},
    "OpenCV, pictures dropped": lambda: {"augmenter": None, "files": DecodedFiles(OpenCv(), keeps=False)},
    "PyAV and OpenCV": lambda: {"augmenter": OpenCvAugment(), "files": DecodedFiles(PyAv())},
    "OpenCV": lambda: {"augmenter": OpenCvAugment(), "files": DecodedFiles(OpenCv())},
    "NumPy and OpenCV": lambda: {"augmenter": OpenCvAugment(), "raw": RawFiles()},
    "torchvision by frame": lambda: {"augmenter": TorchvisionAugment(by_frame=True)},
    "torchvision by clip": lambda: {"augmenter": TorchvisionAugment(by_frame=False)},
}


def open_peer(name, parameters, inputs, threads):
    if name not in PEERS:
        raise Unavailable(f"there is no peer '{name}' of the loader")
    parts = PEERS[name]()
    if any(input.startswith("pictures ") for input in inputs):
        parts.pop("files", None)
    return Pipeline(inputs, threads, **parts)
