// Times training steps on a device beside what their convolutions alone take, for gpu.sh. Batches come as in
// training: decoded samples, which go to the device while the step before runs. Prints lines of tab-separated
// values:
//
//   step  CASE  MS_A_STEP  CLIPS_A_SECOND  CONVOLUTIONS_MS  STEP_OVER_CONVOLUTIONS  DEVICE_GB
//
//   vssl_engine_bench DEVICE [FILTER]    'cuda'; 'cpu' takes small cases, which show that the program works
#include <ATen/detail/CUDAHooksInterface.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <regex>
#include <thread>

#include "../native/engine/backbones/video_net.h"
#include "../native/engine/device/devices.h"
#include "../native/engine/random.h"
#include "../native/engine/runtime.h"
#include "../native/video/packed.h"

namespace {

using namespace vssl;
using namespace vssl::engine;
using Object = Value::Object;
using Clock = std::chrono::steady_clock;

struct Case {
  std::string name, arch;
  double width;
  int64_t videos, frames, size;  // each video gives two clips
  std::string checkpoint;
  bool graph = false;
};

std::vector<Case> cases_of(const at::Device& device) {
  if (device.is_cpu()) return {{"r3d_10 x 0.25, 8 x 32 x 32", "r3d_10", 0.25, 4, 8, 32, "none"}};
  return {{"r3d_18, 16 x 112 x 112", "r3d_18", 1, 64, 16, 112, "none"},
          {"r3d_18, 16 x 112 x 112, recorded", "r3d_18", 1, 64, 16, 112, "none", true},
          {"r3d_18 x 0.25, 16 x 112 x 112", "r3d_18", 0.25, 16, 16, 112, "none"},
          {"r3d_18 x 0.25, 16 x 112 x 112, recorded", "r3d_18", 0.25, 16, 16, 112, "none", true},
          {"r3d_18, 16 x 112 x 112, checkpointed", "r3d_18", 1, 64, 16, 112, "stage"},
          {"r3d_50, 16 x 224 x 224", "r3d_50", 1, 16, 16, 224, "none"}};
}

void synchronize(at::Device device) {
  if (device.is_cuda()) at::detail::getCUDAHooks().deviceSynchronize(device.index());
}

double seconds_of(at::Device device, int64_t repeats, const std::function<void()>& body) {
  synchronize(device);
  const auto start = Clock::now();
  for (int64_t i = 0; i < repeats; ++i) body();
  synchronize(device);
  return std::chrono::duration<double>(Clock::now() - start).count() / static_cast<double>(repeats);
}

// One clip of pictures somewhat larger than what is seen of them, with the operations of CVRL.
video::PackedClip clip_of(const Case& c, const CounterRandom& random) {
  using namespace video;
  const int64_t side = c.size * 8 / 7;
  ClipPlan plan;
  plan.height = plan.width = static_cast<int>(c.size);
  std::vector<PicturePtr> pictures;
  std::vector<uint8_t> rgb(static_cast<size_t>(side * side * 3));
  for (int64_t t = 0; t < c.frames; ++t) {
    plan.times.push_back(static_cast<double>(t));
    for (size_t i = 0; i < rgb.size(); ++i)
      rgb[i] = static_cast<uint8_t>(255 * random.uniform(static_cast<uint64_t>(t) * rgb.size() + i));
    pictures.push_back(picture_from_rgb(rgb.data(), side, side, 1));
  }
  FrameAugment a;
  a.x1 = a.y1 = 0.95;
  a.color = {{ColorKind::kBrightness, 1.1f},
             {ColorKind::kContrast, 0.9f},
             {ColorKind::kSaturation, 0.8f},
             {ColorKind::kHue, 0.05f}};
  a.blur = 1;
  a.blur_radius = 5;
  plan.augment = {a};
  std::vector<uint8_t> scratch;
  return pack_clip(pictures, plan, scratch);
}

// The same few clips again and again: what they show costs nothing.
video::Batch batch_of(const Case& c, uint64_t seed) {
  video::Batch batch;
  batch.samples = c.videos;
  for (const char* name : {"view1", "view2"}) {
    video::ViewBuffer view{name, video::DType::kFloat32, {c.videos, c.frames, c.size, c.size, 3}, {}, {}, {}};
    view.packed = std::make_shared<video::PackedView>();
    const video::PackedClip clip = clip_of(c, CounterRandom(seed, name));
    view.packed->clips.assign(static_cast<size_t>(c.videos), clip);
    batch.views.push_back(view);
  }
  return batch;
}

void forget(const video::Batch& batch) {
  for (const auto& view : batch.views) {
    const std::lock_guard<std::mutex> lock(view.packed->mutex);
    view.packed->placed = nullptr;
  }
}

// Forward and both gradients of every convolution that a step's clips meet, each alone.
double convolution_seconds(const Case& c, at::Device device, int64_t repeats) {
  const at::NoGradGuard no_grad;
  const Placement placement{device, true};
  const auto net = create_model(Value(Object{{"arch", c.arch}, {"width", c.width}}), 1, placement);
  const auto options = at::TensorOptions().dtype(at::kBFloat16).device(device);
  const auto made = [&](at::IntArrayRef sizes) {
    return at::zeros(sizes, options).add_(0.01).contiguous(at::MemoryFormat::ChannelsLast3d);
  };
  std::vector<ConvCall> calls;
  Pass pass;
  pass.compute = at::kBFloat16;
  pass.record = &calls;
  net->features(made({2 * c.videos, 3, c.frames, c.size, c.size}), pass);
  double sum = 0;
  for (size_t i = 0; i < calls.size(); ++i) {
    const ConvCall& call = calls[i];
    const Tensor x = made(call.input),
                 w = made({call.out, call.input[1], call.kernel[0], call.kernel[1], call.kernel[2]});
    const Tensor y = at::conv3d(x, w, {}, call.stride, call.padding);
    const auto both = [&] {
      at::conv3d(x, w, {}, call.stride, call.padding);
      at::convolution_backward(y, x, w, at::OptionalIntArrayRef(), call.stride, call.padding, {1, 1, 1},
                               false, {0, 0, 0}, 1, {i > 0, true, false});
    };
    both();
    sum += seconds_of(device, repeats, both);
  }
  return sum;
}

void time_case(const Case& c, const std::string& device_name, int64_t warm, int64_t repeats) {
  const at::Device device = device_from(device_name);
  const Object head{{"headLayers", 2}, {"headHidden", 0}, {"headDim", 128}, {"headNorm", true}};
  Object options = head;
  options["temperature"] = 0.1;
  options["lossScale"] = 1;
  Session session(
      Value(Object{{"method", "simclr"},
                   {"options", options},
                   {"model", Object{{"arch", c.arch}, {"width", c.width}}},
                   {"optimizer", Object{{"name", "sgd"}, {"momentum", 0.9}, {"weightDecay", 1e-4}}},
                   {"precision", "bf16"},
                   {"checkpoint", c.checkpoint},
                   {"graph", c.graph},
                   {"device", device_name}}));
  const video::Batch batches[2] = {batch_of(c, 1), batch_of(c, 2)};
  const Value hyper(Object{{"lr", 0.01}});
  int64_t steps = 0;
  const auto step_once = [&] {
    const video::Batch &now = batches[steps % 2], &next = batches[++steps % 2];
    forget(next);
    std::thread other([&] { session.prepare(next); });
    const StepResult result = session.step(now, hyper);
    other.join();
    if (!result.finite) throw Error("ERR_VSSL_NON_FINITE", "a step that is not finite was timed");
  };
  for (int64_t i = 0; i < warm; ++i) step_once();
  const double step = seconds_of(device, repeats, step_once);
  const double convolutions = convolution_seconds(c, device, repeats);
  std::printf("step\t%s, %lld videos\t%.2f\t%.1f\t%.2f\t%.3f\t%.2f\n", c.name.c_str(),
              static_cast<long long>(c.videos), 1e3 * step, 2 * static_cast<double>(c.videos) / step,
              1e3 * convolutions, step / convolutions,
              static_cast<double>(session.stats().device_bytes) / 1e9);
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** values) {
  const std::string device = count > 1 ? values[1] : "cuda";
  const std::regex filter(count > 2 ? values[2] : "");
  bool failed = false;
  std::vector<Case> cases;
  try {
    cases = cases_of(device_from(device));
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", error.code.c_str(), error.what());
    return 3;
  }
  for (const Case& c : cases) {
    if (!std::regex_search(c.name, filter)) continue;
    try {
      time_case(c, device, 5, device == "cpu" ? 3 : 20);
    } catch (const Error& error) {  // of one case: the others go on
      std::printf("skip\t%s\t%s %s\n", c.name.c_str(), error.code.c_str(), error.what());
      failed = true;
    }
  }
  return failed ? 1 : 0;
}
