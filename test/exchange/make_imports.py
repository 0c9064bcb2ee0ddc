"""Weights of torchvision as people have them, and what they give: `npm run test:onnx` imports them.

    python3 make_imports.py FOLDER     writes .pth files, clips.f32 and NAME.f32, the features

Exits with 77 when torch or torchvision is missing.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../fixtures/r3d"))
from make_fixture import torch, torchvision  # noqa: E402

SHAPE = (2, 3, 8, 32, 32)


def main():
    folder = sys.argv[1]
    torch.manual_seed(1)
    clips = torch.randn(SHAPE)
    clips.numpy().tofile(os.path.join(folder, "clips.f32"))
    for name, new in (("r3d_18", False), ("r2plus1d_18", True), ("mc3_18", True)):
        net = getattr(torchvision.models.video, name)(weights=None)
        state = net.state_dict()
        if name == "mc3_18":  # half, and wrapped as trainers do
            state = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
            net.load_state_dict(state)
            state = {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}
        torch.save(state, os.path.join(folder, f"{name}.pth"), _use_new_zipfile_serialization=new)
        net.fc = torch.nn.Identity()
        with torch.no_grad():
            net.eval()(clips).numpy().tofile(os.path.join(folder, f"{name}.f32"))
    for name in ("resnet18", "resnet50"):
        torch.save(getattr(torchvision.models, name)(weights=None).state_dict(), os.path.join(folder, f"{name}.pth"))


if __name__ == "__main__":
    main()
