// EMA, DCT, motion, frame difference and row normalisation on the device against the double-precision twins.
#pragma once

#include "../kernels/reference.h"
#include "cuda_testing.h"
#include "kernels_spans_testing.h"

namespace vssl::cuda {

/// Every value within `relative` of the size of its pixel.
inline void check_values(const std::vector<float>& values, const std::vector<double>& expected,
                         const std::vector<double>& sizes, const std::string& what) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double off = std::fabs(values[i] - expected[i]);
    if (off == 0) continue;
    const double tolerances = off / (kRelative * sizes[i % sizes.size()]);
    if (!(tolerances <= worst)) worst = tolerances;
    if (std::isnan(worst)) break;
  }
  check(worst <= 1, what + ": off by " + std::to_string(worst) + " tolerances");
}

inline std::string clip_name(const std::string& what, int64_t frames, int64_t pixels) {
  return "cuda " + what + " " + std::to_string(frames) + " x " + std::to_string(pixels);
}

template <typename In>
void check_dct(int64_t frames, int64_t pixels, int64_t keep, bool inverse) {
  const int64_t kept = keep == 0 ? frames : keep;
  const int64_t inputs = inverse ? kept : frames, outputs = inverse ? frames : kept;
  const Clip<In> clip = make_clip<In>(inputs, pixels);
  DctOptions options;
  options.keep = keep;
  options.inverse = inverse;
  std::vector<double> expected(outputs * pixels);
  dct_reference(expected.data(), clip.exact.data(), frames, pixels, options);
  const DeviceArray<In> in(std::vector<In>(clip.memory.begin() + 1, clip.memory.end()), 1);
  const DeviceArray<float> out(expected.size(), 1);
  enqueue_work([&](cudaStream_t stream) { dct(out.get(), in.get(), frames, pixels, options, stream); });
  check_values(out.read(), expected, pixel_norms(clip.exact, inputs, pixels),
               clip_name(inverse ? "inverse dct" : "dct", frames, pixels));
}

template <typename In>
void check_motion(int64_t frames, int64_t pixels, int64_t drop, MotionOutput output) {
  const Clip<In> clip = make_clip<In>(frames, pixels);
  DctMotionOptions options;
  options.drop_low = drop;
  options.output = output;
  const bool energy = output == MotionOutput::kEnergy;
  std::vector<double> expected(energy ? pixels : frames * pixels);
  dct_motion_reference(expected.data(), clip.exact.data(), frames, pixels, options);
  const DeviceArray<In> in(std::vector<In>(clip.memory.begin() + 1, clip.memory.end()), 1);
  const DeviceArray<float> out(expected.size(), 1);
  enqueue_work(
      [&](cudaStream_t stream) { dct_motion(out.get(), in.get(), frames, pixels, options, stream); });
  std::vector<double> sizes = pixel_norms(clip.exact, frames, pixels);
  for (double& size : sizes) size *= energy ? 4 * size : 4;  // the difference from the first frame is larger
  check_values(out.read(), expected, sizes, clip_name("motion less " + std::to_string(drop), frames, pixels));
}

template <typename In>
void check_difference(int64_t frames, int64_t pixels) {
  const Clip<In> clip = make_clip<In>(frames, pixels);
  std::vector<double> expected((frames - 1) * pixels);
  frame_difference_reference(expected.data(), clip.exact.data(), frames, pixels);
  const DeviceArray<In> in(std::vector<In>(clip.memory.begin() + 1, clip.memory.end()), 1);
  const DeviceArray<float> out(expected.size(), 1);
  enqueue_work([&](cudaStream_t stream) { frame_difference(out.get(), in.get(), frames, pixels, stream); });
  check_values(out.read(), expected, pixel_norms(clip.exact, frames, pixels),
               clip_name("difference", frames, pixels));
}

/// In place, and a pixel that does not change.
inline void check_clip_edges() {
  const int64_t frames = 16, pixels = 301;
  const Clip<float> clip = make_clip<float>(frames, pixels);
  const std::vector<float> x(clip.memory.begin() + 1, clip.memory.end());
  const DeviceArray<float> apart(x), both(x), out(x.size());
  enqueue_work([&](cudaStream_t stream) {
    dct(out.get(), apart.get(), frames, pixels, {}, stream);
    dct(both.get(), both.get(), frames, pixels, {}, stream);
  });
  check(same_bits(out.read(), both.read()), "cuda dct: other values in place");
  const DeviceArray<float> still(std::vector<float>(x.size(), 0.1f)), zero(x.size());
  for (int64_t drop : {1, 5, 12}) {
    DctMotionOptions options;
    options.drop_low = drop;
    enqueue_work(
        [&](cudaStream_t stream) { dct_motion(zero.get(), still.get(), frames, pixels, options, stream); });
    const std::vector<float> values = zero.read();
    check(std::all_of(values.begin(), values.end(), [](float m) { return m == 0; }),
          "cuda motion: a still pixel moves");
  }
}

/// Spans of every size and alignment, more than one launch takes.
inline void check_ema(double momentum) {
  const std::vector<int64_t> sizes = {0, 1, 3, 4, 31, 4096, 4095, 4097, 0, 8192, 10000, 5};
  const int repeats = 13;
  std::vector<std::vector<float>> targets, sources;
  std::vector<std::unique_ptr<DeviceArray<float>>> device;
  std::vector<EmaSpan> spans;
  for (int i = 0; i < repeats * static_cast<int>(sizes.size()); ++i) {
    const int64_t size = sizes[i % sizes.size()];
    targets.push_back(make(Data::kNormal, size, 1, static_cast<unsigned>(2 * i + 1)));
    sources.push_back(make(Data::kNormal, size, 1, static_cast<unsigned>(2 * i + 2)));
    device.push_back(std::make_unique<DeviceArray<float>>(targets.back(), i % 3));
    device.push_back(std::make_unique<DeviceArray<float>>(sources.back(), i % 2));
    spans.push_back({device[2 * i]->get(), device[2 * i + 1]->get(), size});
  }
  enqueue_work([&](cudaStream_t stream) {
    ema_update(spans.data(), static_cast<int64_t>(spans.size()), momentum, stream);
  });
  bool near = true;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const std::vector<float> values = device[2 * i]->read();
    std::vector<double> expected(targets[i].begin(), targets[i].end());
    const std::vector<double> source(sources[i].begin(), sources[i].end());
    ema_update_reference(expected.data(), source.data(), spans[i].size, momentum);
    for (int64_t k = 0; k < spans[i].size; ++k)
      near = near &&
             std::fabs(values[k] - expected[k]) <= 4e-7 * (std::fabs(targets[i][k]) + std::fabs(source[k]));
  }
  check(near, "cuda ema of momentum " + std::to_string(momentum));
}

inline void check_normalize(int64_t rows, int64_t dim, Data data) {
  const std::vector<float> x = make(data, rows, dim), g = make(Data::kNormal, rows, dim, 2);
  const std::vector<double> wide_x(x.begin(), x.end()), wide_g(g.begin(), g.end());
  std::vector<double> z(x.size()), gradient(x.size());
  normalize_rows_reference(z.data(), wide_x.data(), rows, dim);
  normalize_rows_backward_reference(gradient.data(), wide_g.data(), wide_x.data(), rows, dim);
  const DeviceArray<float> in(x, 1), grad_z(g, 1), both(x), out(x.size(), 1), back(x.size(), 1);
  enqueue_work([&](cudaStream_t stream) {
    normalize_rows(out.get(), in.get(), rows, dim, stream);
    normalize_rows(both.get(), both.get(), rows, dim, stream);
    normalize_rows_backward(back.get(), grad_z.get(), in.get(), rows, dim, stream);
  });
  const std::string what =
      "cuda normalisation of " + std::to_string(rows) + " x " + std::to_string(dim) + " " + name_of(data);
  const std::vector<float> values = out.read(), slopes = back.read();
  check(same_bits(values, both.read()), what + ": other bits in place");
  bool near = true;
  for (int64_t i = 0; i < rows; ++i) {
    double size = 0;
    for (int64_t k = 0; k < dim; ++k) size += wide_g[i * dim + k] * wide_g[i * dim + k];
    double square = 0;
    for (int64_t k = 0; k < dim; ++k) square += wide_x[i * dim + k] * wide_x[i * dim + k];
    const double scale = std::sqrt(size) / std::max(std::sqrt(square), 1e-12);
    for (int64_t k = i * dim; k < (i + 1) * dim; ++k) {
      near = near && std::fabs(values[k] - z[k]) <= 1e-6;
      near = near && std::fabs(slopes[k] - gradient[k]) <= 1e-6 * scale + 1e-44;
    }
  }
  check(near, what);
}

inline void add_span_checks(Checks& checks) {
  const std::vector<int64_t> frames_list = {1, 2, 3, 4, 7, 8, 9, 16, 31, 32, 33, 63, 64};
  for (int64_t frames : frames_list) {
    for (int64_t pixels : {int64_t{1}, int64_t{129}, kEmulated ? int64_t{200} : int64_t{301056 + 7}}) {
      for (bool inverse : {false, true}) {
        for (int64_t keep : {int64_t{0}, (frames + 1) / 2}) {
          checks.push_back([=] { check_dct<float>(frames, pixels, keep, inverse); });
        }
      }
      checks.push_back([=] { check_dct<uint8_t>(frames, pixels, 0, false); });
      for (int64_t drop : {int64_t{0}, int64_t{1}, frames / 2 + 1, frames}) {
        checks.push_back([=] { check_motion<float>(frames, pixels, drop, MotionOutput::kSignal); });
      }
      checks.push_back([=] { check_motion<uint8_t>(frames, pixels, 1, MotionOutput::kEnergy); });
      if (frames < 2) continue;
      checks.push_back([=] { check_difference<float>(frames, pixels); });
      checks.push_back([=] { check_difference<uint8_t>(frames, pixels); });
    }
  }
  checks.push_back([] { check_clip_edges(); });
  for (double momentum : {0.0, 0.3, 0.5, 0.996, 1.0}) checks.push_back([=] { check_ema(momentum); });
  for (Data data : {Data::kNormal, Data::kZeroRows, Data::kHugeRows, Data::kTinyRows}) {
    for (int64_t dim : {1, 3, 64, 129}) checks.push_back([=] { check_normalize(13, dim, data); });
  }
}

}  // namespace vssl::cuda
