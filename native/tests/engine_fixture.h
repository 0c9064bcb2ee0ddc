// Comparison with torchvision: test/fixtures/r3d/make_fixture.py ran its networks on weights and clips from a
// counter formula, which is written here again.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "../engine/backbones/video_net.h"
#include "engine_testing.h"

namespace vssl::engine::testing {

// JSON text to a Value; as much of JSON as the fixture uses (no escapes in strings).
class JsonReader {
 public:
  explicit JsonReader(const std::string& text) : p_(text.c_str()) {}
  Value read() {
    skip();
    if (*p_ == '{') {
      Object out;
      for (++p_; skip(), *p_ != '}';) {
        if (*p_ == ',') ++p_;
        const std::string key = read().as_string("key");
        skip();
        ++p_;  // ':'
        out[key] = read();
      }
      ++p_;
      return Value(out);
    }
    if (*p_ == '[') {
      Value::Array out;
      for (++p_; skip(), *p_ != ']';) {
        if (*p_ == ',') ++p_;
        out.push_back(read());
        skip();
      }
      ++p_;
      return Value(out);
    }
    if (*p_ == '"') {
      const char* end = std::strchr(p_ + 1, '"');
      const std::string out(p_ + 1, end);
      p_ = end + 1;
      return Value(out);
    }
    if (*p_ == 't' || *p_ == 'f') {
      const bool value = *p_ == 't';
      p_ += value ? 4 : 5;
      return Value(value);
    }
    char* end = nullptr;
    const double number = std::strtod(p_, &end);
    if (end == p_) throw Error("ERR_VSSL_TEST", "the fixture is not JSON");
    p_ = end;
    return Value(number);
  }

 private:
  void skip() {
    while (*p_ == ' ' || *p_ == '\n') ++p_;
  }
  const char* p_;
};

// Number i of a stream, in [-1, 1).
inline double counter(uint64_t i, uint64_t stream, uint64_t seed) {
  auto x = static_cast<uint32_t>(i + stream * 0x9E3779B9u + seed * 0x85EBCA6Bu);
  x = (x ^ (x >> 16)) * 0x7FEB352Du;
  x = (x ^ (x >> 15)) * 0x846CA68Bu;
  x ^= x >> 16;
  return (x >> 8) / 8388608.0 - 1.0;
}

inline bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

inline float fixture_value(const Weights::Entry& e, uint64_t i, uint64_t stream, uint64_t seed) {
  const double u = counter(i, stream, seed);
  if (e.tensor.dim() == 1 && ends_with(e.name, "weight")) return static_cast<float>(1.0 + 0.25 * u);
  if (e.tensor.dim() == 1) return static_cast<float>((i % 2 == 0 ? 2.5 : -2.5) + 0.25 * u);
  return static_cast<float>(u * std::sqrt(6.0 / static_cast<double>(e.tensor.numel() / e.tensor.size(0))));
}

inline Tensor counted(at::IntArrayRef shape, uint64_t stream, uint64_t seed) {
  const Tensor out = at::empty(shape, at::TensorOptions().dtype(at::kFloat));
  float* p = out.mutable_data_ptr<float>();
  for (int64_t i = 0; i < out.numel(); ++i) p[i] = static_cast<float>(counter(i, stream, seed));
  return out;
}

inline void fill(VideoNet& net, uint64_t seed) {
  std::vector<const Weights::Entry*> sorted;
  for (const auto& e : net.weights().entries())
    if (e.trainable) sorted.push_back(&e);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->name < b->name; });
  const at::NoGradGuard no_grad;
  for (size_t k = 0; k < sorted.size(); ++k) {
    const Tensor value = at::empty(sorted[k]->tensor.sizes(), at::TensorOptions().dtype(at::kFloat));
    float* p = value.mutable_data_ptr<float>();
    for (int64_t i = 0; i < value.numel(); ++i) p[i] = fixture_value(*sorted[k], i, k + 1, seed);
    sorted[k]->tensor.copy_(value);
  }
  net.weights().changed();
}

inline std::vector<double> numbers(const Value& array) {
  std::vector<double> out;
  for (const Value& v : array.as_array("numbers")) out.push_back(v.as_number("number"));
  return out;
}

inline double relative(const std::vector<double>& value, const std::vector<double>& truth) {
  double off = 0, size = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    off += (value[i] - truth[i]) * (value[i] - truth[i]);
    size += truth[i] * truth[i];
  }
  return std::sqrt(off / size);
}

inline std::vector<double> doubles(const Tensor& t) {
  const Tensor flat = t.detach().to(at::kDouble).contiguous().flatten();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

struct Limits {
  double norm, entry;  // relative errors of gradients; outputs and statistics always have 1e-4
};

// One run of the fixture: outputs, gradients and, in training mode, moved statistics.
inline void check_run(const Value& run, uint64_t seed, bool channels_last, const Limits& limits) {
  const std::string arch = run["arch"].as_string("arch");
  const bool train = run["train"].as_bool("train");
  const std::string name =
      arch + (train ? " train" : " eval") + (channels_last ? " channels-last" : " contiguous");
  const auto net = create_model(Value(Object{{"arch", arch}}), 0, Placement{at::kCPU, channels_last});
  fill(*net, seed);
  std::vector<int64_t> shape;
  for (const double d : numbers(run["shape"])) shape.push_back(static_cast<int64_t>(d));
  const Tensor clips = counted(shape, 1000, seed).requires_grad_();
  const auto format = channels_last ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::Contiguous;
  if (!train) {
    const at::NoGradGuard no_grad;
    Pass calibration;
    calibration.train = calibration.update_stats = true;
    calibration.stats_momentum = 1;
    net->embed(clips.contiguous(format), calibration);
  }
  Pass pass;
  pass.train = pass.update_stats = train;
  const Tensor out = net->embed(clips.contiguous(format), pass);
  check_at_most(relative(doubles(out), numbers(run["output"])), 1e-4, name + " output");
  (out * counted(out.sizes(), 1001, seed)).sum().backward();

  std::map<std::string, Tensor> gradients{{"input", clips.grad()}};
  for (const auto& e : net->weights().entries())
    if (e.trainable) gradients[e.name] = e.tensor.grad();
  check(gradients.size() == run["gradients"].as_object("gradients").size(), name + ": number of gradients");
  double worst_norm = 0, worst_entry = 0;
  for (const auto& [key, truth] : run["gradients"].as_object("gradients")) {
    const std::vector<double> all = doubles(gradients.at(key));
    double sum = 0;
    for (const double g : all) sum += g * g;
    const double norm = truth["norm"].as_number("norm");
    worst_norm = worse(worst_norm, std::fabs(std::sqrt(sum) / norm - 1));
    // Entries are sums with cancellation, so the scale of their rounding is that of the largest.
    const auto at = numbers(truth["at"]), values = numbers(truth["values"]);
    const double largest = truth["largest"].as_number("largest");
    for (size_t i = 0; i < at.size(); ++i)
      worst_entry = worse(worst_entry, std::fabs(all[static_cast<size_t>(at[i])] - values[i]) / largest);
  }
  check_at_most(worst_norm, limits.norm, name + " gradient norms");
  check_at_most(worst_entry, limits.entry, name + " gradient entries");
  if (!train) return;
  for (const auto& e : net->weights().entries()) {
    if (e.trainable || ends_with(e.name, "num_batches_tracked")) continue;
    auto moved = doubles(e.tensor);
    moved.resize(std::min<size_t>(4, moved.size()));
    check_at_most(relative(moved, numbers(run["statistics"][e.name])), 1e-4, name + " " + e.name);
  }
}

inline void check_fixture(const Value& fixture,
                          const std::function<Limits(const std::string&, bool)>& limits) {
  const auto seed = static_cast<uint64_t>(fixture["seed"].as_int("seed"));
  for (const auto& [arch, shapes] : fixture["shapes"].as_object("shapes")) {
    const auto net = create_model(Value(Object{{"arch", arch}}), 0, Placement{});
    std::map<std::string, std::vector<double>> ours, theirs;
    for (const auto& e : net->weights().entries())
      ours[e.name] = std::vector<double>(e.tensor.sizes().begin(), e.tensor.sizes().end());
    for (const auto& [key, shape] : shapes.as_object(arch)) theirs[key] = numbers(shape);
    check(ours == theirs, arch + ": names and shapes of torchvision's state dict");
  }
  for (const Value& run : fixture["runs"].as_array("runs"))
    for (const bool channels_last : {true, false})
      check_run(run, seed, channels_last, limits(run["arch"].as_string("arch"), channels_last));
}

inline std::filesystem::path fixture_folder() {
  return std::filesystem::path(__FILE__).parent_path() / ".." / ".." / "test" / "fixtures" / "r3d";
}

inline void test_fixture() {
  std::ifstream file(fixture_folder() / "r3d.json");
  std::stringstream text;
  text << file.rdbuf();
  // In one R(2+1)D run a ReLU's input is so near zero that channels-last fp32 takes the other side, in
  // torchvision too.
  check_fixture(JsonReader(text.str()).read(), [](const std::string& arch, bool channels_last) {
    return arch == "r2plus1d_18" && channels_last ? Limits{1e-3, 1e-2} : Limits{1e-4, 1e-4};
  });
}

// The same with another seed, from the torchvision of VSSL_PYTHON (python3), where it has one.
inline void test_live() {
  const char* python = std::getenv("VSSL_PYTHON");
  const std::string command = std::string(python ? python : "python3") + " " +
                              (fixture_folder() / "make_fixture.py").string() + " --seed 7 2>/dev/null";
  FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  char block[1 << 14];
  for (size_t n = 0; pipe && (n = fread(block, 1, sizeof block, pipe)) > 0;) text.append(block, n);
  if (!pipe || pclose(pipe) != 0) {
    std::printf("  skipped: no Python with torchvision (VSSL_PYTHON names another)\n");
    return;
  }
  // Both sides are fp32 here: single ReLUs may fall on different sides.
  check_fixture(JsonReader(text).read(), [](const std::string&, bool) { return Limits{1e-3, 1e-2}; });
}

}  // namespace vssl::engine::testing
