// What the checks of BatchNorm on the device share: activations of each type, cases, runs, and the
// double-precision twins of the formulas.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "../kernels/bf16.h"
#include "../kernels/cuda/training_cuda.h"
#include "cuda_testing.h"
#include "half.h"

namespace vssl::cuda {

inline uint32_t encoded(Element type, float x) {
  if (type == Element::kHalf) return half_of(x);
  if (type == Element::kBf16 && x == x) x = to_bf16(x);
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return type == Element::kBf16 ? bits >> 16 : bits;
}

inline float decoded(Element type, uint32_t bits) {
  if (type == Element::kHalf) return value_of_half(static_cast<uint16_t>(bits));
  if (type == Element::kBf16) bits <<= 16;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// What rounding to a type may cost a value.
inline double rounding_of(Element type, double value) {
  if (type == Element::kFloat) return 0x1p-24 * std::fabs(value) + 1e-44;
  return type == Element::kBf16 ? 0x1p-8 * std::fabs(value) + 1e-38 : 0x1p-11 * std::fabs(value) + 0x1p-25;
}

/// Activations on the device, `offset` values from an aligned address; without values they are NaN.
class Activations {
 public:
  Activations(Element type, std::size_t count, std::size_t offset)
      : type_(type), bytes_(type == Element::kFloat ? 4 : 2), memory_(count * bytes_, offset * bytes_) {}
  Activations(Element type, const std::vector<float>& values, std::size_t offset)
      : Activations(type, values.size(), offset) {
    std::vector<unsigned char> bytes(values.size() * bytes_);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const uint32_t bits = encoded(type, values[i]);
      std::memcpy(&bytes[i * bytes_], &bits, bytes_);  // little-endian, as the device
    }
    device_copy(memory_.get(), bytes.data(), bytes.size());
  }

  void* get() const { return memory_.get(); }
  std::vector<float> read() const {
    const std::vector<unsigned char> bytes = memory_.read();
    std::vector<float> values(bytes.size() / bytes_);
    for (std::size_t i = 0; i < values.size(); ++i) {
      uint32_t bits = 0;
      std::memcpy(&bits, &bytes[i * bytes_], bytes_);
      values[i] = decoded(type_, bits);
    }
    return values;
  }

 private:
  Element type_;
  std::size_t bytes_;
  DeviceArray<unsigned char> memory_;
};

struct NormCase {
  int64_t rows, channels;
  Element type = Element::kFloat;
  bool relu = false, residual = false, center = true, moves = true;
  float mean = 0.5f, deviation = 1;

  NormShape shape() const { return {rows, channels, type}; }
  NormSettings settings() const {
    NormSettings settings;
    settings.relu = relu;
    return settings;
  }
  std::string name() const {
    static const char* const kTypes[] = {"fp32", "bf16", "fp16"};
    return "cuda norm of " + std::to_string(rows) + " x " + std::to_string(channels) + " " +
           kTypes[static_cast<int>(type)] + (relu ? " relu" : "") + (residual ? " residual" : "") +
           (center ? "" : " without beta") + (moves ? "" : " unmoved");
  }
};

struct NormInputs {
  std::vector<float> x, residual, grad_y;  // as the type has them
  std::vector<float> gamma, beta, running_mean, running_var;

  explicit NormInputs(const NormCase& c)
      : x(make(Data::kNormal, c.rows, c.channels, 1)),
        residual(make(Data::kNormal, c.rows, c.channels, 2)),
        grad_y(make(Data::kNormal, c.rows, c.channels, 3)),
        gamma(make(Data::kNormal, 1, c.channels, 4)),
        beta(make(Data::kNormal, 1, c.channels, 5)),
        running_mean(make(Data::kNormal, 1, c.channels, 6)),
        running_var(make(Data::kNormal, 1, c.channels, 7)) {
    for (float& value : x) value = c.mean + c.deviation * value;
    for (std::vector<float>* values : {&x, &residual, &grad_y}) {
      for (float& value : *values) value = decoded(c.type, encoded(c.type, value));
    }
    for (float& value : running_var) value = 0.1f + value * value;
  }

  /// Rows begin to end - 1.
  NormInputs part(const NormCase& c, int64_t begin, int64_t end) const {
    NormInputs some = *this;
    for (std::vector<float>* values : {&some.x, &some.residual, &some.grad_y})
      *values = std::vector<float>(values->begin() + begin * c.channels, values->begin() + end * c.channels);
    return some;
  }
};

struct NormOutcome {
  std::vector<double> moments;
  std::vector<float> y, mean, inverse, running_mean, running_var;
};

enum class Over { kNothing, kX, kResidual };

/// How a call is made: values between an aligned address and its matrices, what y overwrites, whose moments
/// (null: its own), from a graph.
struct Manner {
  std::size_t offset = 1;
  Over over = Over::kNothing;
  const std::vector<double>* moments = nullptr;
  int64_t rows = 0;  // of all ranks; 0: its own
  int replays = 0;
};

inline NormOutcome run_norm(const NormCase& c, const NormInputs& in, const Manner& manner = {}) {
  const std::size_t bytes = norm_workspace(c.shape());
  const DeviceArray<unsigned char> workspace(bytes);
  const DeviceArray<double> own(2 * c.channels);
  const Activations x(c.type, in.x, manner.offset), residual(c.type, in.residual, manner.offset);
  const Activations apart(c.type, in.x.size(), manner.offset);
  const Activations& y = manner.over == Over::kX ? x : manner.over == Over::kResidual ? residual : apart;
  const DeviceArray<float> gamma(in.gamma, 1), beta(in.beta, 1), running_mean(in.running_mean, 1),
      running_var(in.running_var, 1), mean(c.channels, 1), inverse(c.channels, 1);
  const DeviceArray<double> given(manner.moments != nullptr ? *manner.moments : std::vector<double>(1));
  enqueue_work(
      [&](cudaStream_t stream) {
        norm_moments(own.get(), x.get(), c.shape(), workspace.get(), bytes, stream);
        norm_forward(
            y.get(), mean.get(), inverse.get(), c.moves ? running_mean.get() : nullptr,
            c.moves ? running_var.get() : nullptr, manner.moments != nullptr ? given.get() : own.get(),
            manner.rows == 0 ? c.rows : manner.rows, x.get(), gamma.get(), c.center ? beta.get() : nullptr,
            c.residual ? residual.get() : nullptr, c.shape(), c.settings(), stream);
      },
      manner.replays);
  return {own.read(), y.read(), mean.read(), inverse.read(), running_mean.read(), running_var.read()};
}

struct NormGradients {
  std::vector<double> sums;
  std::vector<float> x, residual, gamma, beta;
};

/// The way back of run_norm()'s outcome; `all_sums` and `manner.rows` of all ranks (null: its own), rows
/// below 0: statistics are constants. With Over::kX grad_x overwrites grad_y.
inline NormGradients run_norm_backward(const NormCase& c, const NormInputs& in, const NormOutcome& forward,
                                       const Manner& manner = {},
                                       const std::vector<double>* all_sums = nullptr) {
  const std::size_t bytes = norm_workspace(c.shape()), offset = manner.offset;
  const DeviceArray<unsigned char> workspace(bytes);
  const Activations x(c.type, in.x, offset), y(c.type, forward.y, offset), grad_y(c.type, in.grad_y, offset);
  const Activations apart(c.type, in.x.size(), offset), grad_residual(c.type, in.x.size(), offset);
  const Activations& grad_x = manner.over == Over::kX ? grad_y : apart;
  const DeviceArray<float> gamma(in.gamma, 1), mean(forward.mean, 1), inverse(forward.inverse, 1),
      grad_gamma(c.channels, 1), grad_beta(c.channels, 1);
  const DeviceArray<double> own(2 * c.channels);
  const DeviceArray<double> given(all_sums != nullptr ? *all_sums : std::vector<double>(1));
  const int64_t rows = manner.rows < 0 ? 0 : manner.rows == 0 ? c.rows : manner.rows;
  const void* const mask = c.relu ? y.get() : nullptr;
  enqueue_work(
      [&](cudaStream_t stream) {
        norm_backward_sums(own.get(), grad_y.get(), mask, x.get(), mean.get(), c.shape(), workspace.get(),
                           bytes, stream);
        norm_backward(grad_x.get(), c.residual ? grad_residual.get() : nullptr, grad_gamma.get(),
                      c.center ? grad_beta.get() : nullptr, own.get(),
                      all_sums != nullptr ? given.get() : own.get(), rows, grad_y.get(), mask, x.get(),
                      gamma.get(), mean.get(), inverse.get(), c.shape(), stream);
      },
      manner.replays);
  return {own.read(), grad_x.read(), grad_residual.read(), grad_gamma.read(), grad_beta.read()};
}

/// Mean and squares of each channel, by the formula.
inline std::vector<double> moments_twin(const std::vector<double>& x, int64_t channels) {
  const auto rows = static_cast<int64_t>(x.size()) / channels;
  std::vector<double> moments(2 * channels);
  for (std::size_t i = 0; i < x.size(); ++i) moments[i % channels] += x[i] / static_cast<double>(rows);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double distance = x[i] - moments[i % channels];
    moments[channels + i % channels] += distance * distance;
  }
  return moments;
}

/// y by the formula, from mean and variance of each channel.
inline std::vector<double> norm_twin(const NormCase& c, const NormInputs& in, const std::vector<double>& x,
                                     const std::vector<double>& mean, const std::vector<double>& var) {
  std::vector<double> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t k = i % c.channels;
    y[i] = (x[i] - mean[k]) / std::sqrt(var[k] + c.settings().eps) * in.gamma[k];
    if (c.center) y[i] += in.beta[k];
    if (c.residual) y[i] += in.residual[i];
    if (c.relu && y[i] < 0) y[i] = 0;
  }
  return y;
}

template <typename T>
bool equal_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

inline bool same(const NormOutcome& a, const NormOutcome& b) {
  return equal_bits(a.moments, b.moments) && equal_bits(a.y, b.y) && equal_bits(a.mean, b.mean) &&
         equal_bits(a.inverse, b.inverse) && equal_bits(a.running_mean, b.running_mean) &&
         equal_bits(a.running_var, b.running_var);
}

inline bool same(const NormGradients& a, const NormGradients& b) {
  return equal_bits(a.sums, b.sums) && equal_bits(a.x, b.x) && equal_bits(a.residual, b.residual) &&
         equal_bits(a.gamma, b.gamma) && equal_bits(a.beta, b.beta);
}

}  // namespace vssl::cuda
