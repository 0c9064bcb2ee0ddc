// The methods as small sessions: their batches, their numbers of a step, and the options that change
// what a step does.
#pragma once

#include <cmath>

#include "engine_testing.h"

namespace vssl::engine::testing {

constexpr int64_t kSamples = 8;

inline video::ViewBuffer renamed(video::ViewBuffer view, const std::string& name) {
  view.name = name;
  return view;
}

// A method's name, its options, and where they differ from the usual ones.
struct Case {
  std::string name, method;
  Object options;
  bool sync = true;
};

// Classes of some samples, `width` of each: the third and fourth, and the last, have none.
inline video::ViewBuffer drawn_targets(const std::string& name, int64_t width, int64_t classes,
                                       uint64_t seed) {
  video::ViewBuffer view{name, video::DType::kInt64, {5, width}, {0, 1, 4, 5, 6}, {}, {}};
  view.allocate();
  const CounterRandom random(seed, name.c_str());
  for (int64_t i = 0; i < 5 * width; ++i)
    view.ints()[i] = static_cast<int64_t>(random.uniform(i) * static_cast<double>(classes));
  return view;
}

// Seconds of the frames of a long clip and of a short one within it.
inline video::ViewBuffer drawn_times(int64_t samples, int64_t frames, uint64_t seed) {
  video::ViewBuffer side{"times", video::DType::kFloat32, {samples, 2, frames}, {}, {}, {}};
  side.allocate();
  const CounterRandom random(seed, "times");
  for (int64_t i = 0; i < samples; ++i)
    for (int64_t t = 0; t < frames; ++t) {
      const auto at = static_cast<double>(t);
      side.floats()[2 * i * frames + t] = static_cast<float>(0.4 * at);
      side.floats()[(2 * i + 1) * frames + t] =
          static_cast<float>(0.3 * random.uniform(i) * static_cast<double>(frames - 1) + 0.1 * at);
    }
  return side;
}

inline video::Batch batch_of(const Case& c, uint64_t seed) {
  if (c.method == "modist") {
    const video::Batch seen = make_batch(kSamples, 4, 16, seed),
                       motion = make_batch(kSamples, 4, 16, seed + 100);
    video::Batch batch;
    batch.samples = kSamples;
    batch.views = {renamed(seen.views[0], "v1"), renamed(seen.views[1], "v2"), renamed(motion.views[0], "m1"),
                   renamed(motion.views[1], "m2")};
    return batch;
  }
  if (c.method == "tcgl") {
    video::Batch batch;
    batch.samples = kSamples;
    for (uint64_t p = 0; p < 3; ++p)
      batch.views.push_back(renamed(make_batch(kSamples, 8, 16, seed + 1000 * p, 1).views[0],
                                    "snippet" + std::to_string(p + 1)));
    return batch;
  }
  if (c.method == "finetune" || c.method == "attentive") return labelled_batch(kSamples, 4, 16, seed);
  video::Batch batch = make_batch(kSamples, 4, 16, seed);
  if (c.options.count("ownNegatives"))
    batch.views.push_back(renamed(make_batch(kSamples, 4, 16, seed + 100).views[0], "negative"));
  if (c.options.count("skipOwnKeys")) {
    video::ViewBuffer videos{"video", video::DType::kInt64, {kSamples}, {}, {}, {}};
    videos.allocate();
    for (int64_t i = 0; i < kSamples; ++i)
      videos.ints()[i] = static_cast<int64_t>((seed * 5 + i) % (2 * kSamples));
    batch.side = {videos};
  }
  if (c.method == "concur") batch.views.push_back(drawn_targets("distance", 1, 4, seed));
  if (c.method == "cstp") {
    for (const char* name : {"space", "time"}) batch.views.push_back(drawn_targets(name, 1, 5, seed));
    for (const char* name : {"speed", "rotation"}) batch.views.push_back(drawn_targets(name, 2, 4, seed));
  }
  if (c.method == "teg") {
    // views have 4 frames, and r3d_10 makes one step of them
    batch = make_batch(kSamples, 16, 16, seed);
    batch.side = {drawn_times(kSamples, 16, seed)};
  }
  if (c.method == "cate") {
    video::ViewBuffer codes{"encodings", video::DType::kFloat32, {kSamples, 2, 1}, {}, {}, {}};
    codes.allocate();
    const CounterRandom random(seed, "codes");
    for (int64_t i = 0; i < kSamples; ++i) {
      codes.floats()[2 * i] = static_cast<float>(2 * random.uniform(i) - 1);
      codes.floats()[2 * i + 1] = -codes.floats()[2 * i];
    }
    batch.side = {codes};
  }
  return batch;
}

inline Value numbers_of(const Case& c, int64_t step, double lr) {
  Object all{{"lr", lr}};
  const bool queue = c.method == "moco" || c.method == "videomoco" || c.method == "modist";
  if (queue || c.method == "cstp") all["momentum"] = 0.99;
  if (queue && c.options.count("normGroups")) all["shuffle"] = 10 + step;
  if (c.method == "videomoco") all["drop"] = 1;
  if (c.method == "videomoco" && c.options.count("drop")) all["dropSeed"] = 30 + step;
  if (c.method == "tcgl") {
    all["orderSeed"] = 10 + step;
    all["corruptionSeed"] = 50 + step;
  }
  if (c.method == "finetune") all["dropoutSeed"] = 70 + step;
  return Value(all);
}

inline std::vector<Case> cases() {
  const Object small{{"queue", 64}, {"headDim", 16}};
  const Object tokens{
      {"tokens", Value::Array{Object{{"name", "time"}}}}, {"layers", 1}, {"heads", 2}, {"width", 16}};
  const auto with = [](const Object& base, const Object& more) { return merged(base, more); };
  return {{"cvrl", "cvrl", {}},
          {"simclr", "simclr", {}},
          {"moco", "moco", small},
          {"moco in groups", "moco", with(small, {{"normGroups", 4}, {"symmetric", true}})},
          {"simclr with own negatives", "simclr", {{"ownNegatives", true}}},
          {"moco with own negatives", "moco", with(small, {{"ownNegatives", true}, {"skipOwnKeys", true}})},
          {"moco without own keys", "moco", with(small, {{"skipOwnKeys", true}})},
          {"videomoco", "videomoco", small},
          {"videomoco, random frames", "videomoco", with(small, {{"drop", "random"}})},
          {"modist", "modist", small},
          {"cate", "cate", tokens},
          {"cate with its guard", "cate", with(tokens, {{"reading", "B"}, {"guard", true}, {"anchors", 6}})},
          {"tcgl", "tcgl", {}},
          {"concur", "concur", {}},
          {"cstp", "cstp", {{"headDim", 16}}},
          {"teg", "teg", {{"headDim", 16}}},
          {"finetune", "finetune", {{"dropout", 0.25}, {"depthDecay", 0.5}}},
          {"attentive", "attentive", {}}};
}

// Every weight one rounding away from where it was; `run` neighbours go the same way.
inline void nudge(Session& session, size_t run = 1) {
  auto state = session.export_state();
  for (NamedTensor& tensor : state) {
    if (tensor.name.rfind("model/", 0) != 0 || tensor.dtype != "F32") continue;
    auto* values = reinterpret_cast<float*>(tensor.data.data());
    for (size_t i = 0; i < tensor.data.size() / sizeof(float); ++i)
      values[i] = std::nextafter(values[i], i / run % 2 ? 2.0f : -2.0f);
  }
  session.import_state(state);
}

}  // namespace vssl::engine::testing
