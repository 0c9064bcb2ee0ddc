// What the engine's test files share: counting checks, making batches and sessions.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../engine/engine.h"
#include "../engine/random.h"
#include "worse.h"

namespace vssl::engine::testing {

inline int passed = 0, failed = 0;

inline void check(bool ok, const std::string& what) {
  ++(ok ? passed : failed);
  if (!ok) std::printf("FAILED: %s\n", what.c_str());
}

inline void check_at_most(double value, double limit, const std::string& what) {
  check(value <= limit, what + ": " + std::to_string(value) + " is not at most " + std::to_string(limit));
}

// The code of the vssl::Error that `body` throws, "" when it throws none.
inline std::string code_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.code;
  }
  return "";
}

// Smooth moving patterns, different for each sample, with a little noise for each view.
inline video::Batch make_batch(int64_t clips, int64_t frames, int64_t side, uint64_t seed, int views = 2) {
  video::Batch batch;
  batch.samples = clips;
  for (int v = 0; v < views; ++v) {
    video::ViewBuffer view{
        v == 0 ? "a" : "b", video::DType::kFloat32, {clips, frames, side, side, 3}, {}, {}};
    view.allocate();
    float* out = view.floats();
    const CounterRandom random(seed, "clips"), noise(seed, view.name);
    uint64_t i = 0;
    for (int64_t n = 0; n < clips; ++n)
      for (int64_t t = 0; t < frames; ++t)
        for (int64_t y = 0; y < side; ++y)
          for (int64_t x = 0; x < side; ++x)
            for (int64_t c = 0; c < 3; ++c, ++i) {
              const double a = random.uniform(n * 8 + c), b = random.uniform(n * 8 + 4),
                           d = random.uniform(n * 8 + 5);
              out[i] = static_cast<float>(
                  0.5 + 0.4 * std::sin(6.3 * (a + (b - 0.5) * x + (d - 0.5) * y + 0.1 * b * t)) +
                  0.1 * (noise.uniform(i) - 0.5));
            }
    batch.views.push_back(view);
  }
  return batch;
}

using Object = Value::Object;

// A small CVRL session; `changes` replace entries of its spec.
inline Value session_spec(const Object& changes = {}) {
  Object spec{{"method", "cvrl"},
              {"model", Object{{"arch", "r3d_10"}, {"width", 0.125}}},
              {"optimizer", Object{{"name", "sgd"}, {"momentum", 0.9}, {"weightDecay", 1e-4}}},
              {"seed", 3}};
  for (const auto& [key, value] : changes) spec[key] = value;
  return Value(spec);
}

inline Value rate(double lr) { return Value(Object{{"lr", lr}}); }

inline bool same_bytes(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].name != b[i].name || a[i].dtype != b[i].dtype || a[i].shape != b[i].shape ||
        a[i].data != b[i].data) {
      std::printf("  first difference: %s\n", a[i].name.c_str());
      return false;
    }
  return true;
}

inline std::vector<float> floats_of(const NamedTensor& t) {
  std::vector<float> out(t.data.size() / 4);
  std::memcpy(out.data(), t.data.data(), out.size() * 4);
  return out;
}

inline const NamedTensor& find(const std::vector<NamedTensor>& tensors, const std::string& name) {
  for (const auto& t : tensors)
    if (t.name == name) return t;
  throw Error("ERR_VSSL_TEST", "no tensor " + name);
}

}  // namespace vssl::engine::testing
