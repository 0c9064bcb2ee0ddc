"""The other side of `vssl-native bench --peers`: one child process that runs other libraries' kernels in turn with ours.

It reads one JSON object a line from stdin and answers each with one on its stdout (all else that is printed there goes
to stderr):

    {"do": "open", "module": "ntxent", "peer": "torch eager", "parameters": {...}, "threads": 2,
     "inputs": {"embeddings": {"path": "/tmp/x.bin", "dtype": "float32", "shape": [256, 128]}}}
                                     -> {"ok": true, "handle": 1, "version": "torch 2.13.0"}, and a "note" if any
                                        or {"unavailable": "why"}
    {"do": "outputs", "handle": 1, "folder": "/tmp/y"}
                                     -> {"ok": true, "outputs": {"gradient": {"path": ..., "dtype": "float32"}}}
    {"do": "run", "handle": 1, "repeats": 3, "warm": 3}
                                     -> {"ok": true, "seconds": 0.0123}, of all repeats together
    {"do": "close", "handle": 1}     -> {"ok": true}

A fault is {"error": "what"}; the process goes on. It answers only when its threads have come to rest, so that nothing
of it runs while the other side is timed.

A peer module has `open_peer(name, parameters, inputs, threads)`. It returns an object with `version`, `run()` and
`outputs()` (names to float32 buffers) and maybe `note`, what else is to be known of it; or raises Unavailable, or ImportError where the library is missing.
"""

import gc
import importlib
import json
import os
import sys
import time
import traceback


class Unavailable(Exception):
    """This peer cannot run here; the message says why."""


class Input:
    """An array of the other side, in a file of raw little-endian values."""

    def __init__(self, path, dtype, shape):
        self.path, self.dtype, self.shape = path, dtype, shape

    def numpy(self):
        import numpy

        return numpy.fromfile(self.path, dtype=self.dtype).reshape(self.shape)


def available_bytes():
    """Memory that can still be had; None where that is not known."""
    try:
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    return None


def require_memory(needed):
    """Raises Unavailable when `needed` bytes are clearly more than there are."""
    free = available_bytes()
    if free is not None and needed > 0.8 * free:
        raise Unavailable(f"needs about {needed / 1e9:.0f} GB of memory, {free / 1e9:.0f} GB are free")


def settle():
    """Waits until this process uses next to no time: thread pools spin for some milliseconds before they sleep."""
    for _ in range(100):
        before = time.process_time()
        time.sleep(0.002)
        if time.process_time() - before < 0.0002:
            return


class Server:
    def __init__(self):
        self.peers = {}
        self.last = 0

    def open(self, request):
        inputs = {name: Input(**entry) for name, entry in request["inputs"].items()}
        try:
            module = importlib.import_module(request["module"])
            peer = module.open_peer(request["peer"], request["parameters"], inputs, request["threads"])
        except Unavailable as reason:
            return {"unavailable": str(reason)}
        except ImportError as error:
            return {"unavailable": f"{error} ({sys.executable})"}
        self.last += 1
        self.peers[self.last] = peer
        note = getattr(peer, "note", None)
        return {"ok": True, "handle": self.last, "version": peer.version, **({"note": note} if note else {})}

    def outputs(self, request):
        peer = self.peers[request["handle"]]
        peer.run()
        written = {}
        for name, values in peer.outputs().items():
            path = os.path.join(request["folder"], f"{name}.bin")
            with open(path, "wb") as file:
                file.write(memoryview(values).cast("B"))
            written[name] = {"path": path, "dtype": "float32"}
        settle()
        return {"ok": True, "outputs": written}

    def run(self, request):
        run = self.peers[request["handle"]].run
        repeats = range(request["repeats"])
        for _ in range(request.get("warm", 0)):
            run()
        start = time.perf_counter()
        for _ in repeats:
            run()
        seconds = time.perf_counter() - start
        settle()
        return {"ok": True, "seconds": seconds}

    def close(self, request):
        self.peers.pop(request["handle"], None)
        gc.collect()
        return {"ok": True}

    def answer(self, line):
        try:
            request = json.loads(line)
            if request["do"] not in ("open", "outputs", "run", "close"):
                return {"error": f"unknown command {request['do']!r}"}
            return getattr(self, request["do"])(request)
        except Exception as error:  # the other side decides what a fault means
            traceback.print_exc()
            return {"error": f"{type(error).__name__}: {error}"}


def main():
    # Libraries may print; the protocol keeps the real stdout to itself.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    server = Server()
    for line in sys.stdin:
        channel.write(json.dumps(server.answer(line)) + "\n")
        channel.flush()


if __name__ == "__main__":
    sys.modules["peer"] = sys.modules["__main__"]  # peer modules import this file by its name
    main()
