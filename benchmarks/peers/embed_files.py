"""Peers of embed from files: videos to features, decoded in threads beside the network.

The plans say which pictures of each file a clip has and what of them is seen; see benchmarks/embed-files.mjs.
"""

import json
import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy
import torch
from embed import fold_batch_norm
from peer import Unavailable
from video_nets import VERSION, open_net


def geometry(clip):
    """Size to which a picture is scaled, and where the clip lies in it."""
    x0, y0, x1, y1 = clip["crop"]
    wide, high = round(clip["size"] / (x1 - x0)), round(clip["size"] / (y1 - y0))
    return wide, high, round(x0 * wide), round(y0 * high)


class PyAv:
    """libav by PyAV: swscale makes RGB and the size in one pass, of the pictures that are wanted."""

    def __init__(self):
        import av

        self.av = av
        self.version = f"PyAV {av.__version__}"

    def pictures(self, path, wanted, wide, high):
        """RGB pictures by their index in the file, which is decoded from its beginning to the last of them."""
        found, last = {}, max(wanted)
        with self.av.open(path) as container:
            stream = container.streams.video[0]
            stream.thread_type, stream.codec_context.thread_count = "NONE", 1
            for index, frame in enumerate(container.decode(stream)):
                if index in wanted:
                    found[index] = frame.to_ndarray(width=wide, height=high, format="rgb24", interpolation="BILINEAR")
                if index == last:
                    break
        return found


class OpenCv:
    """OpenCV's VideoCapture; pictures between are grabbed and not converted."""

    def __init__(self):
        import cv2

        cv2.setNumThreads(1)
        self.cv2 = cv2
        self.version = f"OpenCV {cv2.__version__}"

    def pictures(self, path, wanted, wide, high):
        cv2, found = self.cv2, {}
        video = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        for index in range(max(wanted) + 1):
            if not video.grab():
                break
            if index in wanted:
                picture = video.retrieve()[1]
                small = cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA)
                found[index] = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
        video.release()
        return found


READERS = {"PyAV and torch": PyAv, "OpenCV and torch": OpenCv}


def clips_of(reader, video):
    """(clips, T, size, size, 3), uint8."""
    wide, high, left, top = geometry(video)
    size = video["size"]
    wanted = {index for clip in video["clips"] for index in clip}
    pictures = reader.pictures(video["path"], wanted, wide, high)
    clips = [[pictures[index][top : top + size, left : left + size] for index in clip] for clip in video["clips"]]
    return numpy.stack([numpy.stack(clip) for clip in clips])


class Pipeline:
    """Threads that decode, a batch of clips at a time through the network; in the arrangement that a trial found fastest."""

    def __init__(self, reader, parameters, inputs, threads):
        with open(parameters["plans"]) as file:
            self.videos = json.load(file)
        net = open_net(parameters, inputs, "encoder.").eval()
        fold_batch_norm(net)
        self.net = net.to(torch.bfloat16).to(memory_format=torch.channels_last_3d)
        self.features = None
        self.arrange(reader, threads, f"{parameters['plans']}.{reader.__name__}.json")
        self.version = f"{self.reader.version}, {VERSION}"

    def arrange(self, reader, threads, known):
        """One choice after the other, each tried on some videos; once for all processes, in a file beside the plans."""
        choices = {"workers": (1, threads), "compute": (threads, max(1, threads - 1)), "batch": (8, 16)}
        if not os.path.exists(known):
            chosen = {name: values[0] for name, values in choices.items()}
            times = {}
            for name, values in choices.items():
                for value in values:
                    one = {**chosen, name: value}
                    key = tuple(one.values())
                    times[key] = times.get(key) or self.time_trial(reader, one)
                chosen[name] = min(values, key=lambda value: times[tuple({**chosen, name: value}.values())])
            with open(known, "w") as file:
                json.dump(chosen, file)
        with open(known) as file:
            self.take(reader, json.load(file))

    def take(self, reader, arrangement):
        self.workers, self.compute, self.batch = arrangement.values()
        self.reader = reader()
        self.note = f"{self.workers} decoding and {self.compute} computing threads, batches of {self.batch}"

    def time_trial(self, reader, arrangement):
        self.take(reader, arrangement)
        some = self.videos[: max(4, 16 // len(self.videos[0]["clips"]))]
        times = []
        for _ in range(2):
            start = time.perf_counter()
            self.pass_over(some)
            times.append(time.perf_counter() - start)
        return min(times)

    def pass_over(self, videos):
        torch.set_num_threads(self.compute)
        features, waiting, count = [], [], 0
        with ThreadPoolExecutor(self.workers) as pool, torch.inference_mode():
            for clips in pool.map(lambda video: clips_of(self.reader, video), videos):
                waiting.append(clips)
                count += len(clips)
                while count >= self.batch:
                    joined = numpy.concatenate(waiting)
                    features.append(self.embed(joined[: self.batch]))
                    waiting, count = [joined[self.batch :]], count - self.batch
            if count > 0:
                features.append(self.embed(numpy.concatenate(waiting)))
        each = len(videos[0]["clips"])
        return torch.cat(features).view(len(videos), each, -1).mean(1)

    def embed(self, clips):
        pixels = torch.from_numpy(numpy.ascontiguousarray(clips)).permute(0, 4, 1, 2, 3)
        return self.net(pixels.to(torch.bfloat16).div_(255)).float()

    def run(self):
        self.features = self.pass_over(self.videos)

    def outputs(self):
        rows = torch.nn.functional.normalize(self.features, dim=1).contiguous().numpy()
        return {f"video {i}": row for i, row in enumerate(rows)}


def open_peer(name, parameters, inputs, threads):
    if name not in READERS:
        raise Unavailable(f"there is no peer '{name}' of embed from files")
    return Pipeline(READERS[name], parameters, inputs, threads)
