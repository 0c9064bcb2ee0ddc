"""What onnx, onnxruntime, torch and torchvision say of exported weights: `npm run test:onnx` runs it.

    python3 check_exports.py jobs.json

One line of JSON a check: { "name", "ok" | "skipped", "detail" }.
"""

import json
import os
import re
import sys

import numpy as np
import onnx
import onnxruntime

try:
    import torch
    from safetensors.torch import load_file

    # A torchvision built for another torch lacks its compiled operators, of which these networks need none.
    try:
        import torchvision
    except RuntimeError:
        for name in [m for m in sys.modules if m.startswith("torchvision")]:
            del sys.modules[name]
        for op in ("nms", "qnms"):
            torch.library.define(
                f"torchvision::{op}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
        import torchvision
    TORCH = None
except ImportError as error:
    TORCH = str(error)


def tell(name, ok=None, detail="", skipped=None):
    told = {"name": name, "detail": detail}
    told.update({"skipped": skipped} if skipped else {"ok": bool(ok)})
    print(json.dumps(told), flush=True)


def array(entry):
    return np.fromfile(entry["file"], dtype=entry["dtype"]).reshape(entry["shape"])


def distance(got, expected):
    return float(np.abs(got - expected).max() / max(1.0, np.abs(expected).max()))


def check_onnx(job):
    model = onnx.load(job["file"])
    onnx.checker.check_model(model, full_check=True)
    told = {entry.key: entry.value for entry in model.metadata_props}
    tell(f"{job['name']}: onnx.checker", told["arch"] == job["arch"], f"{len(model.graph.node)} nodes")
    session = onnxruntime.InferenceSession(job["file"], providers=["CPUExecutionProvider"])
    for case in job["cases"]:
        (features,) = session.run(None, {job["input"]: array(case["given"])})
        off = distance(features, array(case["features"]))
        tell(f"{job['name']}: onnxruntime {case['given']['shape']}", off < job["most"], f"off by {off:.1e}")


def check_torch(job):
    model = getattr(torchvision.models.video, job["arch"])()
    model.fc = torch.nn.Identity()
    model.load_state_dict(load_file(job["file"]), strict=True)
    for case in job["cases"]:
        with torch.no_grad():
            features = model.eval()(torch.from_numpy(array(case["given"]))).numpy()
        off = distance(features, array(case["features"]))
        tell(f"{job['name']}: torchvision {case['given']['shape']}", off < job["most"], f"off by {off:.1e}")


def check_page(job):
    """Every block of Python of a page, in a folder that has the files that it names."""
    blocks = re.findall(r"```python\n(.*?)```", open(job["file"], encoding="utf8").read(), re.S)
    os.chdir(job["folder"])
    for block in blocks:
        name = re.search(r'"([\w-]+)\.(safetensors|onnx)"', block)
        of = job["files"][name.group(1) + ("" if "features" in block else " pixels")]
        frames = array(of["given"])
        space = {"frames": frames, "clips": frames if "onnxruntime" in block else torch.from_numpy(frames)}
        with torch.no_grad():
            exec(compile(block, job["file"], "exec"), space)
        got = np.asarray(space["features" if "features" in space else "clips"])
        off = distance(got, array(of["features"] if "features" in space else of["clips"]))
        tell(f"{job['name']}: {block.strip().splitlines()[-1]}", off < 1e-4, f"off by {off:.1e}")


def main():
    checks = {"onnx": check_onnx, "torch": check_torch, "page": check_page}
    for job in json.load(open(sys.argv[1], encoding="utf8")):
        if job["kind"] != "onnx" and TORCH:
            tell(job["name"], skipped=TORCH)
            continue
        try:
            checks[job["kind"]](job)
        except Exception as error:
            tell(job["name"], ok=False, detail=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
