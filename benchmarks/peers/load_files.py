"""Files as peers of the loader read them: videos by PyAV and OpenCV, raw copies by NumPy."""

from collections import defaultdict

import numpy


class PyAv:
    """libav by PyAV. Pictures that are not wanted are decoded and not converted."""

    def __init__(self):
        import av

        self.av = av
        self.version = f"PyAV {av.__version__}"

    def decode(self, path, seconds, stretches, use):
        """Calls use(index, frame) for the wanted pictures of each (key, wanted) stretch."""
        place = {round(time * 1e6): index for index, time in enumerate(seconds)}
        with self.av.open(path) as container:
            stream = container.streams.video[0]
            stream.thread_type, stream.codec_context.thread_count = "NONE", 1
            for key, wanted in stretches:
                last = max(wanted)
                container.seek(round(seconds[key] / stream.time_base), stream=stream)
                for frame in container.decode(stream):
                    index = place[round(frame.time * 1e6)]
                    if index in wanted:
                        use(index, frame)
                    if index >= last:
                        break

    def rgb(self, frame):
        return frame.to_ndarray(format="rgb24")


class OpenCv:
    """OpenCV's VideoCapture. Pictures that are not wanted are grabbed and not converted."""

    def __init__(self):
        import cv2

        cv2.setNumThreads(1)
        self.cv2 = cv2
        self.version = f"OpenCV {cv2.__version__}"

    def decode(self, path, seconds, stretches, use):
        cv2 = self.cv2
        video = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        for key, wanted in stretches:
            if key > 0:
                video.set(cv2.CAP_PROP_POS_FRAMES, key)
            for index in range(key, max(wanted) + 1):
                video.grab()
                if index in wanted:
                    use(index, video)
        video.release()

    def rgb(self, video):
        return self.cv2.cvtColor(video.retrieve()[1], self.cv2.COLOR_BGR2RGB)


class RawFiles:
    """Pictures of a raw copy, mapped into memory."""

    version = f"NumPy {numpy.__version__}"

    def pictures(self, source, wanted):
        shape = (source["frames"], source["height"], source["width"], 3)
        mapped = numpy.memmap(source["path"], numpy.uint8, "r", shape=shape)
        return {index: mapped[index] for index in wanted}


def stretches_of(clips):
    """What has to be decoded: (key picture, wanted pictures), going on where the next key picture follows at once."""
    keys = clips[0]["keys"]
    wanted = sorted({index for clip in clips for index in clip["pictures"]})
    by_segment = defaultdict(set)
    for index in wanted:
        by_segment[max(i for i, key in enumerate(keys) if key <= index)].add(index)
    stretches, before = [], None
    for segment in sorted(by_segment):
        if before is not None and segment == before + 1:
            stretches[-1][1].update(by_segment[segment])
        else:
            stretches.append((keys[segment], set(by_segment[segment])))
        before = segment
    return stretches


class DecodedFiles:
    """Pictures of video files."""

    def __init__(self, reader, keeps=True):
        self.reader, self.keeps = reader, keeps
        self.version = reader.version

    def of(self, clips):
        found = {}
        keep = (lambda index, frame: found.update({index: self.reader.rgb(frame)})) if self.keeps else lambda *_: None
        self.reader.decode(clips[0]["source"]["path"], clips[0]["seconds"], stretches_of(clips), keep)
        return found
