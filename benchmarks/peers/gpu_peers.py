"""PyTorch beside cuda_bench, on the same device, with the same shapes and kinds of data: prints lines in its format.

    time   CASE  WHO  REPLAY_US  CHAIN_US  COLD_US  BOUND_US  BOUND

"eager" and "compile" launch their kernels one by one, as a training step does; "in a graph" replays a captured CUDA
graph. A peer that cannot run leaves a line `skip  CASE  WHO  WHY`.
"""

import statistics
import sys

import torch
import torch.nn.functional as F

DEVICE = "cuda"
FLUSH = None


def say(*fields):
    print("\t".join(str(field) for field in fields), flush=True)


def elapsed_us(run, repeats):
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(repeats):
        run()
    end.record()
    end.synchronize()
    return 1000 * begin.elapsed_time(end) / repeats


def measure(run):
    """Median microseconds of a call among many, and of one after the L2 cache was overwritten."""
    for _ in range(3):
        run()
    once = max(1.0, elapsed_us(run, 1))
    repeats = max(1, min(50, int(10000 / once)))
    samples = max(3, min(31, int(150000 / once / repeats)))
    warm, cold = [], []
    for _ in range(samples):
        warm.append(elapsed_us(run, repeats))
        FLUSH.zero_()
        cold.append(elapsed_us(run, 1))
    return statistics.median(warm), statistics.median(cold)


def captured(run):
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def time_peer(case, who, run):
    try:
        warm, cold = measure(run())
        say("time", case, who, f"{warm:.2f}", "-", f"{cold:.2f}", "-", "-")
    except Exception as error:  # out of memory, a compiler that is missing: the others go on
        say("skip", case, who, str(error).strip().split("\n")[0][:100] or type(error).__name__)
    finally:
        torch.cuda.empty_cache()


def step(loss, leaf):
    """Forward and backward into leaf.grad, whose memory stays the same."""
    leaf.grad = torch.zeros_like(leaf)

    def run():
        leaf.grad.zero_()
        loss(leaf).backward()

    return run


def time_loss(case, name, loss, leaf):
    time_peer(case, f"{name} eager", lambda: step(loss, leaf))
    time_peer(case, f"{name} eager in a graph", lambda: captured(step(loss, leaf)))
    time_peer(case, f"{name} compile", lambda: step(torch.compile(loss, dynamic=False), leaf))
    time_peer(case, f"{name} compile in a graph", lambda: captured(step(torch.compile(loss, dynamic=False), leaf)))


def nt_xent(rows, dim, dtype, tau=0.1):
    target = torch.arange(rows, device=DEVICE).roll(-(rows // 2))
    diagonal = torch.arange(rows, device=DEVICE)

    def loss(x):
        z = F.normalize(x).to(dtype)
        s = (z @ z.t()) / tau
        s = s.index_put((diagonal, diagonal), torch.tensor(float("-inf"), dtype=s.dtype, device=DEVICE))
        return F.cross_entropy(s, target)

    return loss, (2 * torch.rand(rows, dim, device=DEVICE) - 1).requires_grad_()


def queue_loss(rows, capacity, dim, dtype, decay=0.99999, tau=0.07):
    queue = F.normalize(2 * torch.rand(capacity, dim, device=DEVICE) - 1).to(dtype)
    ages = 1 + torch.arange(capacity, device=DEVICE) // 4096
    powers = (decay**ages).to(dtype)
    keys = F.normalize(2 * torch.rand(rows, dim, device=DEVICE) - 1).to(dtype)
    target = torch.zeros(rows, dtype=torch.long, device=DEVICE)

    def loss(x):
        q = F.normalize(x).to(dtype)
        positive = (q * keys).sum(1, keepdim=True)
        negative = (q @ queue.t()) * powers
        return F.cross_entropy(torch.cat([positive, negative], 1) / tau, target)

    return loss, (2 * torch.rand(rows, dim, device=DEVICE) - 1).requires_grad_(), queue


def time_losses():
    for rows in (256, 1024, 4096, 65536):
        for dtype, name in ((torch.bfloat16, "bf16"), (torch.float32, "fp32")):
            if rows == 65536 and dtype == torch.float32:
                continue
            loss, leaf = nt_xent(rows, 128, dtype)
            time_loss(f"NT-Xent rows {rows} dim 128 {name}", "torch", loss, leaf)
    for dtype, name in ((torch.bfloat16, "bf16"), (torch.float32, "fp32")):
        case = f"queue N 256 K 65536 dim 128, decay {name}"
        loss, leaf, queue = queue_loss(256, 65536, 128, dtype)
        time_loss(case, "torch", loss, leaf)
        if dtype == torch.bfloat16:
            # Softmax over the queue and the weighted keys in one pass: the gradient's shape, without positives,
            # decay and loss.
            q, k = F.normalize(leaf.detach()).to(dtype)[None, None], queue[None, None]
            attention = lambda: F.scaled_dot_product_attention(q, k, k, scale=1 / 0.07)  # noqa: E731
            time_peer(case, "torch flash attention in a graph, no decay, no loss", lambda: captured(attention))


def time_spans():
    size = 33400000 // 62 // 4 * 4
    targets = [torch.rand(size, device=DEVICE) for _ in range(62)]
    sources = [torch.rand(size, device=DEVICE) for _ in range(62)]
    case = "EMA of 33.4 M floats in 62 tensors"
    time_peer(case, "torch foreach", lambda: lambda: torch._foreach_lerp_(targets, sources, 0.004))
    time_peer(
        case, "torch foreach in a graph", lambda: captured(lambda: torch._foreach_lerp_(targets, sources, 0.004))
    )

    def loop():
        for target, source in zip(targets, sources):
            target.copy_(target * 0.996 + source * 0.004)

    time_peer(case, "torch loop", lambda: loop)
    pixels = 64 * 3 * 112 * 112
    for frames in (16, 64):
        t = torch.arange(frames, device=DEVICE, dtype=torch.float64)
        basis = torch.cos(torch.pi * (2 * t[None, :] + 1) * t[:, None] / (2 * frames)) * (2 / frames) ** 0.5
        basis[0] /= 2**0.5
        basis = basis.float()
        clip = torch.rand(frames, pixels, device=DEVICE)
        name = f"DCT T {frames} x 64 clips of 3 x 112 x 112"
        time_peer(f"{name}, float", "torch matmul in a graph", lambda: captured(lambda: basis @ clip))
        bytes_clip = (255 * clip).to(torch.uint8)
        time_peer(f"{name}, uint8", "torch matmul in a graph", lambda: captured(lambda: basis @ bytes_clip.float()))


def main():
    global FLUSH
    if not torch.cuda.is_available():
        sys.exit("gpu_peers.py: PyTorch sees no CUDA device")
    torch.manual_seed(0)
    FLUSH = torch.empty(64 << 20, dtype=torch.int32, device=DEVICE)
    a, b = (torch.randn(8192, 8192, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    warm, _ = measure(lambda: a @ b)
    say("limit", f"torch {torch.__version__} matmul 8192^3 bf16", f"{2 * 8192**3 / warm / 1e6:.1f}", "TFLOP/s")
    time_losses()
    time_spans()


if __name__ == "__main__":
    main()
