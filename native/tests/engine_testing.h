// What the engine's test files share: making batches and sessions.
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
#include "testing.h"

namespace vssl::engine::testing {

inline video::ViewBuffer make_view(const std::string& name, int64_t clips, int64_t frames, int64_t side) {
  video::ViewBuffer view{name, video::DType::kFloat32, {clips, frames, side, side, 3}, {}, {}, {}};
  view.allocate();
  return view;
}

// Smooth moving patterns, different for each sample, with a little noise for each view.
inline video::Batch make_batch(int64_t clips, int64_t frames, int64_t side, uint64_t seed, int views = 2) {
  video::Batch batch;
  batch.samples = clips;
  for (int v = 0; v < views; ++v) {
    video::ViewBuffer view = make_view(v == 0 ? "view1" : "view2", clips, frames, side);
    float* out = view.floats();
    const CounterRandom random(seed, "clips"), noise(seed, v == 0 ? "a" : "b");
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

inline Object merged(Object base, const Object& changes) {
  for (const auto& [key, value] : changes) base[key] = value;
  return base;
}

inline Value prediction(const std::string& name, const std::string& input, int64_t classes, double weight) {
  return Value(Object{{"name", name}, {"input", input}, {"classes", classes}, {"weight", weight}});
}

// All options of a method; `changes` replace some of them.
inline Object method_options(const std::string& method, const Object& changes = {}) {
  const auto head = [](int64_t layers, bool norm) {
    return Object{{"headLayers", layers}, {"headHidden", 0}, {"headDim", 128}, {"headNorm", norm}};
  };
  const auto momentum = [&](int64_t layers, double temperature, double decay) {
    return merged(head(layers, false), {{"temperature", temperature},
                                        {"queue", 65536},
                                        {"normGroups", 1},
                                        {"shuffle", true},
                                        {"skipOwnKeys", false},
                                        {"decay", decay},
                                        {"decayOn", "logit"},
                                        {"ageUnit", "enqueue"}});
  };
  Object all;
  if (method == "cvrl")
    all = merged(head(3, true), {{"temperature", 0.1}, {"lossScale", 2}, {"ownNegatives", false}});
  if (method == "simclr")
    all = merged(head(2, true), {{"temperature", 0.1}, {"lossScale", 1}, {"ownNegatives", false}});
  if (method == "moco") all = merged(momentum(1, 0.2, 1), {{"symmetric", false}, {"ownNegatives", false}});
  if (method == "videomoco")
    all = merged(momentum(0, 0.07, 0.99999), {{"symmetric", false},
                                              {"ownNegatives", false},
                                              {"drop", "learned"},
                                              {"dropRatio", 0.25},
                                              {"fill", "zero"},
                                              {"straightThrough", "mask"},
                                              {"cleanGradients", true},
                                              {"generatorScale", 100}});
  if (method == "modist")
    all = merged(momentum(1, 0.1, 1), {{"lambda", 1},
                                       {"vv", 1},
                                       {"vm", 1},
                                       {"mv", 1},
                                       {"mm", 0},
                                       {"motionModel", Object{{"arch", "r3d_10"}, {"width", 0.125}}}});
  if (method == "cate")
    all = merged(head(2, true), {{"temperature", 0.1},
                                 {"head", "transformer"},
                                 {"reading", "A"},
                                 {"guard", true},
                                 {"anchors", 16},
                                 {"constant", false},
                                 {"tokens", Value::Array{}},
                                 {"layers", 2},
                                 {"heads", 4},
                                 {"width", 128},
                                 {"mlpRatio", 4}});
  if (method == "tcgl")
    all = {{"snippets", 3},
           {"sets", 4},
           {"dropLow", 1},
           {"repeat", 1},
           {"adjacency", "chain"},
           {"corrupted", "both"},
           {"edgeDraws", "graph"},
           {"edgeDrop", 0.2},
           {"featureMask", 0.1},
           {"temperature", 0.5},
           {"gcnLayers", 1},
           {"gates", true},
           {"dropout", 0.1},
           {"dim", 0},
           {"separatePasses", false},
           {"setStatistics", false},
           {"batchNegatives", false},
           {"separateViews", false},
           {"heldOut", false},
           {"intraWeight", 1},
           {"interWeight", 1},
           {"orderWeight", 1}};
  if (method == "concur")
    all = merged(head(1, true), {{"temperature", 0.1},
                                 {"lossScale", 1},
                                 {"predictions", Value::Array{prediction("distance", "pair", 4, 0.5)}},
                                 {"predictionHidden", 12}});
  if (method == "cstp")
    all = merged(head(1, true),
                 {{"contrast", 0.1},
                  {"predictions",
                   Value::Array{prediction("space", "pair", 5, 1), prediction("time", "pair", 5, 1),
                                prediction("speed", "each", 4, 1), prediction("rotation", "each", 4, 1)}},
                  {"predictionHidden", 0}});
  if (method == "teg")
    all = merged(head(1, true), {{"fine", 0.5}, {"persistent", 0.5}, {"temperature", 0.1}});
  if (method == "finetune")
    all = {{"classes", 4}, {"dropout", 0}, {"smoothing", 0}, {"encoderRate", 1}, {"depthDecay", 1}};
  if (method == "attentive")
    all = {{"classes", 4}, {"smoothing", 0}, {"layers", 1}, {"heads", 2}, {"width", 0}};
  return merged(all, changes);
}

// A small CVRL session; `changes` replace entries of its spec, and options of its method.
inline Value session_spec(const Object& changes = {}) {
  Object spec{{"method", "cvrl"},
              {"model", Object{{"arch", "r3d_10"}, {"width", 0.125}}},
              {"optimizer", Object{{"name", "sgd"}, {"momentum", 0.9}, {"weightDecay", 1e-4}}},
              {"seed", 3}};
  spec = merged(spec, changes);
  const Value options = spec["options"];
  spec["options"] = method_options(spec["method"].as_string("method"),
                                   options.is_null() ? Object{} : options.as_object("options"));
  return Value(spec);
}

// The first view as `clip`, with a class below 4 for each sample.
inline video::Batch labelled_batch(int64_t clips, int64_t frames, int64_t side, uint64_t seed) {
  video::Batch batch = make_batch(clips, frames, side, seed, 1);
  batch.views[0].name = "clip";
  video::ViewBuffer labels{"label", video::DType::kInt64, {clips}, {}, {}, {}};
  labels.allocate();
  const CounterRandom random(seed, "labels");
  for (int64_t i = 0; i < clips; ++i) labels.ints()[i] = static_cast<int64_t>(4 * random.uniform(i));
  batch.side = {labels};
  return batch;
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
