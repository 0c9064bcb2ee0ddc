"""Training throughput of the engine beside PyTorch, the same step in turn: A B A B ... in one run.

    python3 benchmarks/step_peer.py PATH/vssl_step_bench [--pairs 12] [--clips 4] [--precision bf16]

The step is CVRL's on torchvision's r3d_18: forward, projection head, NT-Xent, backward, SGD with momentum and weight
decay. PyTorch runs eagerly with its own autocast and channels_last_3d. The report says how far the peer's weight
gradient of the last stage's convolution is from fp32, because a wrong gradient can be fast.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F

try:
    import torchvision
except RuntimeError:  # built for another torch; the networks need none of its compiled operators
    for name in [m for m in sys.modules if m.startswith("torchvision")]:
        del sys.modules[name]
    for op in ("nms", "qnms"):
        torch.library.define(f"torchvision::{op}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision


class Peer:
    def __init__(self, o):
        torch.manual_seed(0)
        self.bf16 = o.precision == "bf16"
        net = getattr(torchvision.models.video, o.arch)(weights=None)
        width = net.fc.in_features
        layers = []
        for _ in range(3):
            layers += [torch.nn.Linear(width, width), torch.nn.BatchNorm1d(width), torch.nn.ReLU(inplace=True)]
        net.fc = torch.nn.Sequential(*layers, torch.nn.Linear(width, 128))
        self.net = net.to(memory_format=torch.channels_last_3d).train()
        self.optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9, weight_decay=1e-4)
        clips = torch.rand(o.clips, 3, o.frames, o.side, o.side)
        self.clips = clips.to(memory_format=torch.channels_last_3d)

    def backward(self):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            z = self.net(self.clips)
        z = F.normalize(z.float())
        n = len(z) // 2
        s = (z @ z.t() / 0.1).masked_fill(torch.eye(2 * n, dtype=torch.bool), float("-inf"))
        loss = 2 * F.cross_entropy(s, torch.arange(2 * n).roll(n))
        loss.backward()
        return loss.item()

    def step(self):
        start = time.perf_counter()
        self.optimizer.zero_grad()
        self.backward()
        self.optimizer.step()
        return time.perf_counter() - start


def peer_weight_gradient_error(o):
    """Relative error of PyTorch's own weight gradient in the last stage's convolution, against fp32."""
    torch.manual_seed(0)
    frames, side = max(1, o.frames // 8), max(1, o.side // 16)
    kind = torch.bfloat16 if o.precision == "bf16" else torch.float32
    x = torch.randn(o.clips, 512, frames, side, side, dtype=kind)
    w = torch.randn(512, 512, 3, 3, 3, dtype=kind)

    def gradient(x, w):
        w = w.clone().requires_grad_()
        F.conv3d(x.to(memory_format=torch.channels_last_3d), w, padding=1).float().square().sum().backward()
        return w.grad.float()

    truth = gradient(x.float(), w.float())
    error = ((gradient(x, w) - truth).norm() / truth.norm()).item()
    return error if error == error and error < 1e30 else "not finite"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--side", type=int, default=112)
    parser.add_argument("--precision", default="bf16", choices=["bf16", "fp32"])
    parser.add_argument("--arch", default="r3d_18")
    parser.add_argument("--threads", type=int, default=2)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    peer = Peer(o)
    command = [o.bench, o.threads, o.clips, o.frames, o.side, o.precision, o.arch]
    engine = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def native():
        engine.stdin.write("\n")
        engine.stdin.flush()
        return [float(v) for v in engine.stdout.readline().split()]

    for _ in range(2):
        peer.step()
        native()
    pairs, parts = [], []
    for _ in range(o.pairs):
        row = native()
        pairs.append((row[0], peer.step()))
        parts.append(row[2:])
    engine.stdin.close()
    engine.wait()
    ours = statistics.median(p[0] for p in pairs)
    theirs = statistics.median(p[1] for p in pairs)
    report = {
        "case": f"{o.arch} {o.frames}x{o.side}x{o.side} batch {o.clips} {o.precision}",
        "torch": torch.__version__,
        "threads": o.threads,
        "pairs": o.pairs,
        "clipsPerSecond": round(o.clips / ours, 3),
        "peerClipsPerSecond": round(o.clips / theirs, 3),
        "medianRatio": round(statistics.median(b / a for a, b in pairs), 3),
        "forwardLossBackwardOptimizerSeconds": [round(statistics.median(c), 3) for c in zip(*parts)],
        "peerWeightGradientError": peer_weight_gradient_error(o),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
