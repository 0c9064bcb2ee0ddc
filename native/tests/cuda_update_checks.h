// Sums of squares and the optimisers' updates on the device: against double precision, and bit by bit against
// the CPU's loops, which round in the same places.
#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../kernels/cuda/training_cuda.h"
#include "cuda_testing.h"

namespace vssl::cuda {

/// Many arrays of every size and alignment, more than one launch takes.
class Arrays {
 public:
  Arrays(int count, unsigned seed, bool positive = false) {
    static const int64_t kSizes[] = {0, 1, 3, 4, 31, 4096, 4095, 4097, 0, 8192, 10000, 5};
    for (int i = 0; i < count; ++i) {
      const unsigned own = seed * 1000 + static_cast<unsigned>(i);
      host.push_back(make(Data::kNormal, kSizes[i % 12], 1, own));
      for (float& value : host.back()) value = positive ? value * value : value;
      device.push_back(std::make_unique<DeviceArray<float>>(host.back(), own % 3 == 0 ? i % 4 : 0));
    }
  }
  int64_t size(std::size_t i) const { return static_cast<int64_t>(host[i].size()); }

  std::vector<std::vector<float>> host;
  std::vector<std::unique_ptr<DeviceArray<float>>> device;
};

constexpr int kManyArrays = 150;

/// Device arrays after an update against what the CPU's loop and the double-precision twin left.
class Compared {
 public:
  explicit Compared(std::string what) : what_(std::move(what)) {}
  ~Compared() {
    check(same_, what_ + ": other bits than the CPU's loop");
    check(near_, what_ + ": off the double-precision twin");
  }
  void add(const Arrays& arrays, std::size_t i, const std::vector<float>& loop,
           const std::vector<double>& exact, double relative) {
    const std::vector<float> values = arrays.device[i]->read();
    for (std::size_t k = 0; k < values.size(); ++k) {
      same_ = same_ && values[k] == loop[k];
      near_ = near_ && std::fabs(values[k] - exact[k]) <= relative * (1 + std::fabs(exact[k]));
    }
  }

 private:
  std::string what_;
  bool same_ = true, near_ = true;
};

inline void check_momentum(bool nesterov, bool trusting) {
  const Arrays p(kManyArrays, 1), v(kManyArrays, 2), g(kManyArrays, 3);
  const float momentum = 0.9f;
  std::vector<MomentumSpan> spans;
  std::vector<double> squares(2 * kManyArrays);
  for (int i = 0; i < kManyArrays; ++i) {
    MomentumSpan span{p.device[i]->get(),
                      v.device[i]->get(),
                      g.device[i]->get(),
                      p.size(i),
                      0.1f,
                      0.7f,
                      i % 3 * 1e-3f,
                      0.5f};
    span.trust = i % 4 == 3 ? 0 : 0.02f;
    spans.push_back(span);
    squares[i] = i % 5 == 0 ? 0 : 1 + i;  // a norm of 0: no trust
    squares[kManyArrays + i] = i % 7 == 0 ? 0 : 2 + 0.3 * i;
  }
  const DeviceArray<double> norms(squares);
  enqueue_work([&](cudaStream_t stream) {
    momentum_update(spans.data(), kManyArrays, momentum, nesterov, trusting ? norms.get() : nullptr, stream);
  });
  Compared compared(std::string("cuda momentum") + (nesterov ? ", nesterov" : "") +
                    (trusting ? ", lars" : ""));
  for (int i = 0; i < kManyArrays; ++i) {
    const MomentumSpan& s = spans[i];
    double inner = s.inner;
    if (trusting && s.trust > 0 && squares[i] > 0 && squares[kManyArrays + i] > 0)
      inner = s.inner * (s.trust * std::sqrt(squares[i]) / std::sqrt(squares[kManyArrays + i]));
    const auto rounded_inner = static_cast<float>(inner);
    std::vector<float> loop_p = p.host[i], loop_v = v.host[i];
    std::vector<double> exact_p(loop_p.begin(), loop_p.end()), exact_v(loop_v.begin(), loop_v.end());
    for (int64_t k = 0; k < s.size; ++k) {
      const float g32 = s.scale * g.host[i][k] + s.decay * loop_p[k];
      const float w = momentum * loop_v[k] + rounded_inner * g32;
      loop_v[k] = w;
      loop_p[k] -= s.outer * (nesterov ? rounded_inner * g32 + momentum * w : w);
      const double g64 = static_cast<double>(s.scale) * g.host[i][k] + s.decay * exact_p[k];
      exact_v[k] = momentum * exact_v[k] + inner * g64;
      exact_p[k] -= s.outer * (nesterov ? inner * g64 + momentum * exact_v[k] : exact_v[k]);
    }
    compared.add(p, i, loop_p, exact_p, 1e-6);
    compared.add(v, i, loop_v, exact_v, 1e-6);
  }
}

inline void check_adam() {
  const Arrays p(kManyArrays, 1), a(kManyArrays, 2), b(kManyArrays, 3, true), g(kManyArrays, 4);
  const AdamSettings s{0.9f, 0.999f, 1e-8f};
  std::vector<AdamSpan> spans;
  for (int i = 0; i < kManyArrays; ++i) {
    spans.push_back({p.device[i]->get(), a.device[i]->get(), b.device[i]->get(), g.device[i]->get(),
                     p.size(i), 0.5f, 1 - i % 3 * 1e-3f, 1e-2f / (1 + i % 4), 1.0f / (1 + i % 5)});
  }
  enqueue_work([&](cudaStream_t stream) { adam_update(spans.data(), kManyArrays, s, stream); });
  Compared compared("cuda adam");
  for (int i = 0; i < kManyArrays; ++i) {
    const AdamSpan& span = spans[i];
    std::vector<float> loop_p = p.host[i], loop_a = a.host[i], loop_b = b.host[i];
    std::vector<double> exact_p(loop_p.begin(), loop_p.end()), exact_a(loop_a.begin(), loop_a.end()),
        exact_b(loop_b.begin(), loop_b.end());
    for (int64_t k = 0; k < span.size; ++k) {
      const float g32 = span.scale * g.host[i][k];
      const float a32 = s.beta1 * loop_a[k] + (1 - s.beta1) * g32;
      const float b32 = s.beta2 * loop_b[k] + (1 - s.beta2) * g32 * g32;
      loop_a[k] = a32;
      loop_b[k] = b32;
      loop_p[k] = span.keep * loop_p[k] - span.rate * a32 / (std::sqrt(b32) * span.inverse_root + s.eps);
      const double g64 = static_cast<double>(span.scale) * g.host[i][k];
      exact_a[k] = s.beta1 * exact_a[k] + (1.0 - s.beta1) * g64;
      exact_b[k] = s.beta2 * exact_b[k] + (1.0 - s.beta2) * g64 * g64;
      exact_p[k] = span.keep * exact_p[k] -
                   span.rate * exact_a[k] / (std::sqrt(exact_b[k]) * span.inverse_root + s.eps);
    }
    // 1 - beta is exact in fp32; where b is near 0 the step is long and its error with it.
    compared.add(p, i, loop_p, exact_p, 1e-5);
    compared.add(a, i, loop_a, exact_a, 1e-6);
    compared.add(b, i, loop_b, exact_b, 1e-6);
  }
}

inline std::vector<double> run_squares(const std::vector<SquareSpan>& spans, int64_t outputs,
                                       int replays = 0) {
  const auto count = static_cast<int64_t>(spans.size());
  const std::size_t bytes = square_sums_workspace(spans.data(), count, outputs);
  const DeviceArray<unsigned char> workspace(bytes);
  const DeviceArray<double> sums(outputs);
  enqueue_work(
      [&](cudaStream_t stream) {
        square_sums(sums.get(), outputs, spans.data(), count, workspace.get(), bytes, stream);
      },
      replays);
  return sums.read();
}

/// Spans of sum i % outputs; the last sum has none.
inline void check_squares(int64_t outputs) {
  const Arrays x(kManyArrays, 1), y(kManyArrays, 2);
  std::vector<SquareSpan> spans;
  std::vector<double> exact(outputs);
  for (int i = 0; i < kManyArrays; ++i) {
    const bool adds = i % 3 != 0;
    const int64_t into = i % (outputs > 1 ? outputs - 1 : 1);
    spans.push_back({x.device[i]->get(), adds ? y.device[i]->get() : nullptr, x.size(i), 0.5f, 0.25f, into});
    for (int64_t k = 0; k < x.size(i); ++k) {
      const double term = 0.5 * x.host[i][k] + (adds ? 0.25 * y.host[i][k] : 0.0);
      exact[into] += term * term;
    }
  }
  const std::string what = "cuda squares into " + std::to_string(outputs);
  const std::vector<double> sums = run_squares(spans, outputs);
  double worst = 0;
  for (int64_t i = 0; i < outputs; ++i)
    worst = worse(worst, std::fabs(sums[i] - exact[i]) / (1e-12 * exact[i] + 1e-300));
  check_at_most(worst, 1, what + ", in tolerances");
  const auto same = [&](const std::vector<double>& other) {
    return std::memcmp(other.data(), sums.data(), sums.size() * sizeof(double)) == 0;
  };
  check(same(run_squares(spans, outputs)), what + ": other bits the second time");
  if (!kEmulated) check(same(run_squares(spans, outputs, 3)), what + ": other bits from a graph");
}

/// The same bits wherever arrays lie; a NaN and a value whose square is no float stay within their sums.
inline void check_squares_edges() {
  const std::vector<float> x = make(Data::kNormal, 9001, 1, 5), y = make(Data::kNormal, 9001, 1, 6);
  std::vector<double> first;
  for (std::size_t offset : {0, 1, 2, 3, 4}) {
    const DeviceArray<float> at(x, offset), beside(y, offset / 2);
    const std::vector<double> sums = run_squares({{at.get(), beside.get(), 9001, 1, 0.5f, 0}}, 1);
    if (first.empty()) first = sums;
    check(sums[0] == first[0], "cuda squares: other bits at an offset of " + std::to_string(offset));
  }
  std::vector<float> broken = x, large = x;
  broken[8999] = NAN;
  large[7] = 3e38f;
  const DeviceArray<float> a(x), b(broken), c(large);
  const std::vector<double> sums = run_squares({{a.get(), nullptr, 9001, 1, 0, 1},
                                                {b.get(), nullptr, 9001, 1, 0, 0},
                                                {c.get(), nullptr, 9001, 1, 0, 2}},
                                               4);
  check(std::isnan(sums[0]) && std::isfinite(sums[1]) && sums[3] == 0, "cuda squares: a NaN leaves its sum");
  check(std::fabs(sums[2] / (9e76) - 1) < 1e-6, "cuda squares: a large value overflows");
}

inline void check_update_refusals() {
  const DeviceArray<float> f(8);
  const DeviceArray<double> d(8);
  const DeviceArray<unsigned char> room(512);
  float* const p = f.get();
  const auto squares = [&](const SquareSpan& span, int64_t outputs, void* workspace, std::size_t bytes) {
    check_refused("cuda squares",
                  [&] { square_sums(d.get(), outputs, &span, 1, workspace, bytes, nullptr); });
  };
  squares({p, nullptr, 8, 1, 0, 1}, 1, room.get(), 256);
  squares({p, nullptr, 8, 1, 0, -1}, 1, room.get(), 256);
  squares({p, nullptr, 8, 1, 0, 0}, 0, room.get(), 256);
  squares({nullptr, nullptr, 8, 1, 0, 0}, 1, room.get(), 256);
  squares({p, nullptr, -1, 1, 0, 0}, 1, room.get(), 256);
  squares({p, nullptr, 8, 1, 0, 0}, 1, room.get(), 255);
  squares({p, nullptr, 8, 1, 0, 0}, 1, room.get() + 8, 256);
  const auto momentum = [&](const MomentumSpan& span, double value) {
    check_refused("cuda momentum", [&] { momentum_update(&span, 1, value, false, nullptr, nullptr); });
  };
  momentum({p, p, nullptr, 8, 1, 1, 0, 1}, 0.9);
  momentum({p, p, p, -8, 1, 1, 0, 1}, 0.9);
  momentum({p, p, p, 8, 1, 1, 0, 1}, 1.5);
  momentum({p, p, p, 8, 1, 1, 0, 1}, NAN);
  check_refused("cuda momentum", [] { momentum_update(nullptr, 1, 0.9, false, nullptr, nullptr); });
  const auto adam = [&](const AdamSpan& span, const AdamSettings& settings) {
    check_refused("cuda adam", [&] { adam_update(&span, 1, settings, nullptr); });
  };
  adam({p, p, nullptr, p, 8, 1, 1, 1, 1}, {0.9f, 0.999f, 1e-8f});
  adam({p, p, p, p, 8, 1, 1, 1, 1}, {1.5f, 0.999f, 1e-8f});
  adam({p, p, p, p, 8, 1, 1, 1, 1}, {0.9f, 0.999f, -1});
  check_refused("cuda adam", [] { adam_update(nullptr, -1, {0.9f, 0.999f, 1e-8f}, nullptr); });
}

inline void add_update_checks(Checks& checks) {
  for (bool nesterov : {false, true}) {
    for (bool trusting : {false, true}) checks.push_back([=] { check_momentum(nesterov, trusting); });
  }
  checks.push_back([] { check_adam(); });
  for (int64_t outputs : {1, 8, 900}) checks.push_back([=] { check_squares(outputs); });
  checks.push_back([] { check_squares_edges(); });
  checks.push_back([] { check_update_refusals(); });
}

}  // namespace vssl::cuda
