"""Augmentation as peers of the loader do it, by OpenCV and by torchvision, with the parameters of our plans."""

import numpy


def pixels_of(clip, picture):
    """The crop box in whole pixels of the picture."""
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = clip["augment"][0]["crop"]
    return round(x0 * width), round(y0 * height), round(x1 * width), round(y1 * height)


class OpenCvAugment:
    """8-bit pictures throughout: a clip is one tall picture, tables do what is done value by value, and make the floats."""

    def __init__(self):
        import cv2

        cv2.setNumThreads(1)
        self.cv2 = cv2
        self.version = f"OpenCV {cv2.__version__}"
        self.values = numpy.arange(256, dtype=numpy.float32)

    def table(self, values):
        return numpy.clip(numpy.rint(values), 0, 255).astype(numpy.uint8)

    def augment(self, clip, pictures):
        cv2 = self.cv2
        size, augment = (clip["width"], clip["height"]), clip["augment"][0]
        x0, y0, x1, y1 = pixels_of(clip, pictures[0])
        frames = numpy.empty((len(pictures), size[1], size[0], 3), numpy.uint8)
        for frame, picture in zip(frames, pictures):
            box = picture[y0:y1, x0:x1]
            if augment["flip"]:
                cv2.flip(cv2.resize(box, size, interpolation=cv2.INTER_LINEAR), 1, dst=frame)
            else:
                cv2.resize(box, size, dst=frame, interpolation=cv2.INTER_LINEAR)
        tall = frames.reshape(-1, size[0], 3)
        for step in augment["color"]:
            tall = self.colored(tall, step["op"], step["value"])
        if augment["gray"]:
            tall = cv2.cvtColor(tall, cv2.COLOR_RGB2GRAY)
        if augment["blur"] > 0 and augment["blurRadius"] > 0:
            side = 2 * augment["blurRadius"] + 1
            frames = tall.reshape(len(pictures), size[1], size[0], -1)
            tall = numpy.empty_like(tall)
            for frame, blurred in zip(frames, tall.reshape(frames.shape)):
                cv2.GaussianBlur(frame, (side, side), augment["blur"], dst=blurred, borderType=cv2.BORDER_CONSTANT)
        if augment["solarize"] is not None:
            inverted = numpy.where(self.values / 255 >= augment["solarize"], 255 - self.values, self.values)
            tall = cv2.LUT(tall, self.table(inverted))
        if augment["gray"]:
            tall = cv2.cvtColor(tall, cv2.COLOR_GRAY2RGB)
        scaled = (self.values[:, None] / 255 - numpy.float32(clip["mean"])) / numpy.float32(clip["std"])
        return cv2.LUT(tall, scaled[None]).reshape(len(pictures), size[1], size[0], 3)

    def colored(self, tall, op, value):
        cv2, values = self.cv2, self.values
        if op == "brightness":
            return cv2.LUT(tall, self.table(values * value))
        if op == "contrast":
            mean = numpy.float32(cv2.mean(tall)[:3])
            return cv2.LUT(tall, self.table((values[:, None] - mean) * value + mean)[None])
        hsv = cv2.cvtColor(tall, cv2.COLOR_RGB2HSV)
        tables = numpy.stack([values, values, values], axis=1)
        if op == "saturation":
            tables[:, 1] *= value
        else:
            tables[:, 0] = (values + round(value * 180)) % 180
        return cv2.cvtColor(cv2.LUT(hsv, self.table(tables)[None]), cv2.COLOR_HSV2RGB)


def import_torchvision():
    """Without its C extension, where that is of another build of PyTorch: its transforms do not need it."""
    import torch

    try:
        import torchvision
    except RuntimeError:
        arguments = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", arguments)
        import torchvision
    return torchvision


class TorchvisionAugment:
    """torchvision.transforms.v2 on 8-bit tensors, a picture at a time or all pictures of a clip at once.

    What it calls contrast, saturation and blur is not quite what we do (a mean of the picture's luma, a mix with gray,
    mirrored borders). They are timed as torchvision has them; `exact`: as we define them, to compare the outputs.
    """

    def __init__(self, by_frame):
        self.torchvision = import_torchvision()
        import torch
        import torchvision.transforms.v2.functional as functional

        self.torch, self.functional, self.by_frame = torch, functional, by_frame
        self.version = f"torchvision {self.torchvision.__version__}, torch {torch.__version__}"
        self.note = "compared with our contrast, saturation and blur, timed with its own"
        self.exact = False

    def augment(self, clip, pictures):
        torch, functional = self.torch, self.functional
        augment, size = clip["augment"][0], [clip["height"], clip["width"]]
        x0, y0, x1, y1 = pixels_of(clip, pictures[0])
        whole = torch.from_numpy(pictures).permute(0, 3, 1, 2)
        frames = list(whole) if self.by_frame else [whole]

        def each(work):
            nonlocal frames
            frames = [work(frame) for frame in frames]

        each(lambda x: functional.resized_crop(x, y0, x0, y1 - y0, x1 - x0, size, antialias=False))
        if augment["flip"]:
            each(functional.horizontal_flip)
        for step in augment["color"]:
            op, value = step["op"], step["value"]
            if self.exact and op in ("contrast", "saturation"):
                frames = getattr(self, op)(frames, value)
            else:
                each(lambda x: getattr(functional, f"adjust_{op}")(x, value))
        if augment["gray"]:
            each(lambda x: functional.rgb_to_grayscale(x, num_output_channels=3))
        if augment["blur"] > 0 and augment["blurRadius"] > 0:
            side, sigma = [2 * augment["blurRadius"] + 1] * 2, [augment["blur"]] * 2
            if self.exact:
                radius = augment["blurRadius"]
                each(lambda x: functional.pad(x, [2 * radius] * 4))
            each(lambda x: functional.gaussian_blur(x, side, sigma))
            if self.exact:
                each(lambda x: x[..., 2 * radius : -2 * radius, 2 * radius : -2 * radius])
        if augment["solarize"] is not None:
            each(lambda x: functional.solarize(x, augment["solarize"] * 255))
        each(lambda x: functional.normalize(functional.to_dtype(x, torch.float32, scale=True), clip["mean"], clip["std"]))
        joined = torch.stack(frames) if self.by_frame else frames[0]
        return joined.permute(0, 2, 3, 1).contiguous().numpy()

    def contrast(self, frames, value):
        whole = self.torch.stack(frames) if self.by_frame else frames[0]
        mean = whole.float().mean((0, -2, -1))[:, None, None]
        return [((x - mean) * value + mean).round().clamp(0, 255).to(self.torch.uint8) for x in frames]

    def saturation(self, frames, value):
        changed = []
        for x in frames:
            x = x.float()
            most = x.amax(-3, keepdim=True)
            chroma = most - x.amin(-3, keepdim=True)
            factor = self.torch.minimum(self.torch.full_like(most, value), most / chroma.clamp(min=1e-6))
            changed.append((most - (most - x) * factor).round().clamp(0, 255).to(self.torch.uint8))
        return changed
