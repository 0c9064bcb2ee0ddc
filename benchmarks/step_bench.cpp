// One training step of CVRL's R3D-18 by the engine, on request: for each line on stdin a step is made and its
// seconds are printed. benchmarks/step_peer.py drives it in turn with the same step in PyTorch.
//
//   vssl_step_bench THREADS CLIPS FRAMES SIDE PRECISION [ARCH]      CLIPS counts both views
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "../native/engine/engine.h"
#include "../native/engine/random.h"

int main(int argc, char** argv) {
  using namespace vssl;
  using Object = Value::Object;
  if (argc < 6) {
    std::fprintf(stderr, "usage: vssl_step_bench THREADS CLIPS FRAMES SIDE PRECISION [ARCH]\n");
    return 2;
  }
  const int64_t clips = std::atol(argv[2]), frames = std::atol(argv[3]), side = std::atol(argv[4]);
  try {
    engine::set_threads(std::atoi(argv[1]));
    engine::Session session(Value(Object{
        {"method", "cvrl"},
        {"options", Object{{"temperature", 0.1},
                           {"lossScale", 2},
                           {"headLayers", 3},
                           {"headHidden", 0},
                           {"headDim", 128},
                           {"headNorm", true}}},
        {"model", Object{{"arch", argc > 6 ? argv[6] : "r3d_18"}}},
        {"precision", argv[5]},
        {"optimizer", Object{{"name", "sgd"}, {"momentum", 0.9}, {"weightDecay", 1e-4}}},
    }));
    video::Batch batch;
    batch.samples = clips / 2;
    for (const char* name : {"view1", "view2"}) {
      video::ViewBuffer view{name, video::DType::kFloat32, {clips / 2, frames, side, side, 3}, {}, {}};
      view.allocate();
      const int64_t count = clips / 2 * view.row_values();
      const engine::CounterRandom random(1, name);
      for (int64_t i = 0; i < count; ++i) view.floats()[i] = static_cast<float>(random.uniform(i));
      batch.views.push_back(view);
    }
    const Value hyper(Object{{"lr", 0.001}});
    for (std::string line; std::getline(std::cin, line);) {
      const auto start = std::chrono::steady_clock::now();
      const auto r = session.step(batch, hyper);
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      std::printf("%.6f %.6f %.3f %.3f %.3f %.3f\n", seconds, r.losses.at("loss"), r.forward_seconds,
                  r.loss_seconds, r.backward_seconds, r.optimizer_seconds);
      std::fflush(stdout);
    }
  } catch (const Error& e) {
    std::fprintf(stderr, "%s: %s\n", e.code.c_str(), e.what());
    return 1;
  }
  return 0;
}
