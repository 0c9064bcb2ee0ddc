// BatchNorm on the device: values over all cases, bits, ranks, NaN, refusals.
#pragma once

#include "cuda_norm_values.h"

#ifdef VSSL_CUDA_EMULATED
#include "../kernels/cuda/norm_plan.h"
#endif

namespace vssl::cuda {

/// The same bits again, at other alignments, in place, from a graph.
inline void check_norm_bits(const NormCase& c) {
  const NormInputs in(c);
  const NormOutcome first = run_norm(c, in);
  const NormGradients back = run_norm_backward(c, in, first);
  const auto compare = [&](const Manner& manner, const std::string& how, bool backward) {
    check(same(run_norm(c, in, manner), first), c.name() + ": other bits " + how);
    if (backward)
      check(same(run_norm_backward(c, in, first, manner), back), c.name() + ": other bits back " + how);
  };
  Manner manner;
  compare(manner, "the second time", true);
  for (std::size_t offset : {0, 2, 8}) {
    manner.offset = offset;
    compare(manner, "at an offset of " + std::to_string(offset), true);
    manner.over = Over::kX;
    compare(manner, "over its input", true);
    manner.over = Over::kResidual;
    compare(manner, "over the residual", false);
    manner.over = Over::kNothing;
  }
  manner.replays = 3;
  if (!kEmulated && !c.moves) compare(manner, "from a graph", true);
}

/// Moments of two parts joined as ranks join them (Chan, Golub & LeVeque 1983).
inline std::vector<double> joined(const std::vector<double>& a, double rows_a, const std::vector<double>& b,
                                  double rows_b) {
  std::vector<double> both = a;
  const std::size_t channels = a.size() / 2;
  for (std::size_t k = 0; k < channels; ++k) {
    const double apart = b[k] - a[k];
    both[k] += apart * rows_b / (rows_a + rows_b);
    both[channels + k] += b[channels + k] + apart * apart * rows_a * rows_b / (rows_a + rows_b);
  }
  return both;
}

/// Two ranks with `first` rows and the others are as good as one with all.
inline void check_norm_ranks(const NormCase& whole, int64_t first) {
  const NormInputs in(whole);
  NormCase parts[2] = {whole, whole};
  parts[0].rows = first;
  parts[1].rows = whole.rows - first;
  const NormInputs inputs[2] = {in.part(whole, 0, first), in.part(whole, first, whole.rows)};
  NormCase still[2] = {parts[0], parts[1]};  // a rank may have one row alone
  for (NormCase& c : still) c.moves = false;
  const std::vector<double> moments =
      joined(run_norm(still[0], inputs[0]).moments, static_cast<double>(parts[0].rows),
             run_norm(still[1], inputs[1]).moments, static_cast<double>(parts[1].rows));
  check_moments(whole, in, moments,
                moments_twin(std::vector<double>(in.x.begin(), in.x.end()), whole.channels));
  Manner manner;
  manner.moments = &moments;
  manner.rows = whole.rows;
  const NormOutcome out[2] = {run_norm(parts[0], inputs[0], manner), run_norm(parts[1], inputs[1], manner)};
  NormOutcome together = out[0];
  together.moments = moments;
  together.y.insert(together.y.end(), out[1].y.begin(), out[1].y.end());
  check_forward(whole, in, together);

  NormGradients back[2];
  for (int r = 0; r < 2; ++r) back[r] = run_norm_backward(parts[r], inputs[r], out[r], manner);
  NormGradients all = back[0];
  for (std::size_t k = 0; k < all.sums.size(); ++k) all.sums[k] += back[1].sums[k];
  for (int r = 0; r < 2; ++r) back[r] = run_norm_backward(parts[r], inputs[r], out[r], manner, &all.sums);
  all.x = back[0].x;
  all.residual = back[0].residual;
  all.x.insert(all.x.end(), back[1].x.begin(), back[1].x.end());
  all.residual.insert(all.residual.end(), back[1].residual.begin(), back[1].residual.end());
  for (int64_t k = 0; k < whole.channels; ++k) {
    all.gamma[k] = back[0].gamma[k] + back[1].gamma[k];
    all.beta[k] = back[0].beta[k] + back[1].beta[k];
    // Their sum may be far smaller than they are; what one rank gives is checked by check_norm().
    const double gamma = all.sums[whole.channels + k] * together.inverse[k];
    const double size = std::fabs(back[0].gamma[k]) + std::fabs(back[1].gamma[k]);
    check_at_most(std::fabs(all.gamma[k] - gamma), kOfStep * size + 1e-30, whole.name() + ": ranks' gamma");
    all.gamma[k] = static_cast<float>(gamma);
    all.beta[k] = static_cast<float>(all.sums[k]);
  }
  check_backward(whole, in, together, all, static_cast<double>(whole.rows));
}

/// A NaN stays in its channel, and fills it.
inline void check_norm_nan(NormCase c, int64_t row, int64_t channel) {
  const NormInputs whole(c);
  NormInputs broken = whole;
  broken.x[row * c.channels + channel] = NAN;
  const NormOutcome a = run_norm(c, whole), b = run_norm(c, broken);
  const NormGradients back_a = run_norm_backward(c, whole, a), back_b = run_norm_backward(c, broken, b);
  bool same = true, filled = std::isnan(b.moments[channel]) && std::isnan(b.mean[channel]);
  for (std::size_t i = 0; i < a.y.size(); ++i) {
    if (static_cast<int64_t>(i % c.channels) == channel) {
      filled = filled && std::isnan(b.y[i]);
    } else {
      same = same && a.y[i] == b.y[i] && back_a.x[i] == back_b.x[i];
    }
  }
  for (int64_t k = 0; k < c.channels; ++k) {
    same = same && (k == channel || (a.mean[k] == b.mean[k] && a.running_var[k] == b.running_var[k] &&
                                     back_a.gamma[k] == back_b.gamma[k]));
  }
  check(same, c.name() + ": a NaN leaves its channel");
  check(filled, c.name() + ": a NaN does not fill its channel");
}

inline void check_norm_refusals() {
  const NormCase c{4, 8};
  const NormShape shape = c.shape();
  const std::size_t bytes = norm_workspace(shape);
  const DeviceArray<unsigned char> room(bytes + 16);
  const DeviceArray<double> d(16);
  const DeviceArray<float> f(32), g(32);
  const auto moments = [&](const NormShape& of, const void* x, void* workspace, std::size_t size) {
    check_refused("cuda norm's moments", [&] { norm_moments(d.get(), x, of, workspace, size, nullptr); });
  };
  moments({0, 8, Element::kFloat}, f.get(), room.get(), bytes);
  moments({4, 0, Element::kFloat}, f.get(), room.get(), bytes);
  moments({4, (1 << 20) + 1, Element::kFloat}, f.get(), room.get(), bytes);
  moments({int64_t{1} << 40, 8, Element::kFloat}, f.get(), room.get(), bytes);
  moments({4, 8, static_cast<Element>(3)}, f.get(), room.get(), bytes);
  moments(shape, nullptr, room.get(), bytes);
  moments(shape, f.get(), nullptr, bytes);
  moments(shape, f.get(), room.get() + 16, bytes);
  moments(shape, f.get(), room.get(), bytes - 1);
  const auto forward = [&](float* running_mean, float* running_var, int64_t rows, double eps,
                           double momentum) {
    check_refused("cuda norm's forward", [&] {
      norm_forward(g.get(), f.get(), f.get(), running_mean, running_var, d.get(), rows, f.get(), f.get(),
                   nullptr, nullptr, shape, NormSettings{eps, momentum, false}, nullptr);
    });
  };
  forward(nullptr, f.get(), 4, 1e-5, 0.1);
  forward(f.get(), nullptr, 4, 1e-5, 0.1);
  forward(f.get(), f.get(), 3, 1e-5, 0.1);
  forward(f.get(), f.get(), 4, -1, 0.1);
  forward(f.get(), f.get(), 4, 1e-5, 1.5);
  const auto backward = [&](void* residual, int64_t rows, const double* sums) {
    check_refused("cuda norm's backward", [&] {
      norm_backward(g.get(), residual, f.get(), nullptr, sums, d.get(), rows, f.get(), nullptr, f.get(),
                    f.get(), f.get(), f.get(), shape, nullptr);
    });
  };
  backward(g.get(), 4, d.get());
  backward(nullptr, 3, d.get());
  backward(nullptr, 4, nullptr);
  check_refused("cuda norm's backward sums", [&] {
    norm_backward_sums(d.get(), f.get(), nullptr, f.get(), nullptr, shape, room.get(), bytes, nullptr);
  });
  check_refused("cuda norm of one row", [&] {
    norm_forward(g.get(), f.get(), f.get(), f.get(), f.get(), d.get(), 1, f.get(), f.get(), nullptr, nullptr,
                 {1, 8, Element::kFloat}, {}, nullptr);
  });
}

/// What the tests themselves and the emulation convert fp16 with: every value, and what lies between two.
inline void check_half() {
  bool exact = true, rounds = true;
  for (uint16_t bits = 0; bits < 0x7c00; ++bits) {
    const float value = value_of_half(bits);
    const float next = bits == 0x7bff ? 65536.0f : value_of_half(static_cast<uint16_t>(bits + 1));
    const float middle = (value + next) / 2;
    exact = exact && half_of(value) == bits && half_of(-value) == (bits | 0x8000);
    rounds = rounds && half_of(middle) == bits + (bits & 1) &&
             half_of(std::nextafter(middle, 0.0f)) == bits &&
             half_of(std::nextafter(middle, 1e9f)) == bits + 1;
  }
  check(exact && value_of_half(0x3555) == 0x1.554p-2f, "fp16 values");
  check(rounds && std::isinf(value_of_half(0x7c00)) && std::isnan(value_of_half(half_of(NAN))),
        "fp16 rounding");
}

inline std::vector<NormCase> norm_cases() {
  std::vector<std::pair<int64_t, int64_t>> sizes = {{2, 128},   {7, 3},    {300, 45}, {513, 64}, {1250, 83},
                                                    {70, 2048}, {2000, 8}, {40, 600}, {4100, 1}, {33, 230}};
  if (!kEmulated) {
    for (const auto& size : std::vector<std::pair<int64_t, int64_t>>{
             {401408, 64}, {50176, 230}, {3136, 512}, {800001, 3}, {300000, 45}})
      sizes.push_back(size);
  }
  std::vector<NormCase> cases;
  int turn = 0;
  const auto add = [&](int64_t rows, int64_t channels, Element type, int flags) {
    NormCase c{rows, channels, type};
    c.relu = flags & 1;
    c.residual = flags & 2;
    c.center = !(flags & 4);
    c.moves = !(flags & 8);
    cases.push_back(c);
  };
  for (Element type : {Element::kFloat, Element::kBf16, Element::kHalf}) {
    for (const auto& [rows, channels] : sizes) add(rows, channels, type, 5 * turn++);
    for (int flags = 0; flags < 16; ++flags) add(37, 12, type, flags);
    add(1, 5, type, 8 + turn++ % 8);
  }
  return cases;
}

#ifdef VSSL_CUDA_EMULATED
/// With few blocks a thread takes many rows at small sizes too.
inline void check_norm_long(const NormCase& c) {
  kNormSumBlocks = 1;
  check_norm(c);
  kNormSumBlocks = 132 * 6;
}
#endif

inline void add_norm_checks(Checks& checks) {
  checks.push_back([] { check_half(); });
  for (const NormCase& c : norm_cases()) checks.push_back([=] { check_norm(c); });
  for (Element type : {Element::kFloat, Element::kBf16, Element::kHalf}) {
    NormCase c{1003, 45, type};
    c.relu = c.residual = true;
    c.moves = false;
    NormCase steep{900, 20, type};
    steep.mean = type == Element::kFloat ? 1000.0f : 20.0f;
    steep.deviation = 0.1f;
    NormCase wide{90, 1024, type};
    wide.relu = true;
    checks.push_back([=] { check_norm_bits(c); });
    checks.push_back([=] { check_norm_bits(wide); });
    checks.push_back([=] { check_norm(steep); });
    checks.push_back([=] { check_norm_infer(c); });
    checks.push_back([=] { check_norm_nan(c, 0, 44); });
    checks.push_back([=] { check_norm_nan(c, 1002, 0); });
    checks.push_back([=] { check_norm_nan(wide, 50, 511); });
    checks.push_back([=] { check_norm_ranks(c, 401); });
    checks.push_back([=] { check_norm_ranks(wide, 1); });
#ifdef VSSL_CUDA_EMULATED
    checks.push_back([=] { check_norm_long({3001, 20, type, true}); });
#endif
  }
  checks.push_back([] { check_norm_slopes(); });
  checks.push_back([] { check_norm_refusals(); });
}

}  // namespace vssl::cuda
