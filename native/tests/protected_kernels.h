// The protected device's table of kernels: the CPU's, and for BatchNorm and the optimisers slow twins in
// double, behind the signatures of a device with streams.
#pragma once

#include <algorithm>
#include <cmath>

#include "../engine/device/devices.h"
#include "protected_device.h"
#include "testing.h"

namespace vssl::engine::testing {

// Does its work again, and puts the outcome where it was the first time.
class ProtectedGraph final : public DeviceGraph {
 public:
  std::vector<Tensor> record(const std::function<std::vector<Tensor>()>& work) override {
    work_ = work;
    return outputs_ = work_();
  }
  void replay() override {
    const std::vector<Tensor> again = work_();
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < again.size(); ++i)
      if (again[i].defined()) outputs_[i].copy_(again[i]);
    ++replays;
  }
  static inline int replays = 0;

 private:
  std::function<std::vector<Tensor>()> work_;
  std::vector<Tensor> outputs_;
};

class ProtectedKernels final : public DeviceKernels {
 public:
  void* stream(at::Device) const override { return const_cast<int*>(&stream_); }

  Tensor slot(int64_t bytes) const override {
    return at::empty({bytes}, at::TensorOptions().dtype(at::kByte));
  }
  std::unique_ptr<DeviceGraph> graph(at::Device) const override { return std::make_unique<ProtectedGraph>(); }

  size_t nt_xent_room(int64_t rows, int64_t dim, const NtXentOptions&) const override {
    return static_cast<size_t>(rows * dim) * sizeof(float);
  }
  void nt_xent(NtXentResult* result, float* gradient, const float* embeddings, int64_t rows, int64_t dim,
               const NtXentOptions& options, Room room, void* stream) const override {
    const Call call(*this, stream, result, gradient, embeddings);
    use_up(room, nt_xent_room(rows, dim, options));
    *result = vssl::nt_xent(gradient, embeddings, rows, dim, options);
  }

  // length, next, ids, keys, ages
  size_t queue_bytes(const MomentumQueueOptions& o) const override {
    return static_cast<size_t>(o.capacity * (o.dim + 1)) * sizeof(float) +
           static_cast<size_t>(2 + (o.ids ? o.capacity : 0)) * sizeof(int64_t) + 8;
  }
  void queue_restore(QueuePlace queue, const float* keys, const float* ages, const int64_t* ids,
                     int64_t length, int64_t next, void* stream) const override {
    const Call call(*this, stream, queue.memory, keys, ages, ids);
    Ring ring(queue);
    std::copy_n(keys, length * queue.options.dim, ring.keys);
    std::copy_n(ages, length, ring.ages);
    if (ids != nullptr) std::copy_n(ids, length, ring.ids);
    *ring.length = length;
    *ring.next = next;
  }
  void queue_enqueue(QueuePlace queue, const float* keys, int64_t rows, const int64_t* ids,
                     void* stream) const override {
    const Call call(*this, stream, queue.memory, keys, ids);
    Ring ring(queue);
    const auto twin = ring.open();
    twin->enqueue(keys, rows, ids);
    const QueueSnapshot now = twin->snapshot();
    copy_keys(ring.keys, now);
    copy_ages(ring.ages, now);
    if (ring.ids != nullptr) copy_ids(ring.ids, now);
    *ring.length = now.length;
    *ring.next = now.next;
  }
  void queue_read(float* keys, float* ages, int64_t* ids, int64_t* length, QueuePlace queue,
                  void* stream) const override {
    const Call call(*this, stream, queue.memory, keys, ages, ids, length);
    const Ring ring(queue);
    std::copy_n(ring.keys, *ring.length * queue.options.dim, keys);
    std::copy_n(ring.ages, *ring.length, ages);
    if (ids != nullptr) std::copy_n(ring.ids, *ring.length, ids);
    *length = *ring.length;
  }
  size_t info_nce_room(const MomentumQueueOptions& queue, int64_t rows,
                       const InfoNceOptions&) const override {
    return static_cast<size_t>(rows * queue.dim) * sizeof(float);
  }
  void info_nce(double* loss, float* gradient, const float* queries, const float* keys, int64_t rows,
                QueuePlace queue, const InfoNceOptions& options, Room room, void* stream) const override {
    InfoNceOptions opened = options;
    const Call call(*this, stream, loss, gradient, queries, keys, queue.memory, opened.ids);
    use_up(room, info_nce_room(queue.options, rows, options));
    *loss = Ring(queue).open()->info_nce(gradient, queries, keys, rows, opened);
  }

  void ema_update(const EmaSpan* spans, int64_t count, double momentum, void* stream) const override {
    for (int64_t i = 0; i < count; ++i) {
      EmaSpan span = spans[i];
      const Call call(*this, stream, span.target, span.source);
      vssl::ema_update(&span, 1, momentum, 1);
    }
  }
  void dct_motion(float* out, const float* clip, int64_t frames, int64_t pixels,
                  const DctMotionOptions& options, void* stream) const override {
    const Call call(*this, stream, out, clip);
    vssl::dct_motion(out, clip, frames, pixels, options);
  }

  size_t clips_room(const ClipsShape& s) const override {
    return static_cast<size_t>(s.clips * s.frames * s.height * s.width * 3) * sizeof(float);
  }
  void make_clips(void* out, const void* blocks, const int64_t* offsets, const ClipsShape& s, Room room,
                  void* stream) const override {
    const Call call(*this, stream, out, blocks, offsets);
    use_up(room, clips_room(s));
    const int64_t values = int64_t{s.frames} * s.height * s.width * 3;
    std::vector<float> clip(static_cast<size_t>(values));
    const NormShape as{1, 1, s.type};
    for (int64_t n = 0; n < s.clips; ++n) {
      const auto* const block = static_cast<const uint8_t*>(blocks) + offsets[n];
      std::fill(clip.begin(), clip.end(), 0.0f);
      if (offsets[n] >= 0) {
        if (clip_contrasts(block) > s.contrasts || clip_blurs(block) > s.blurs)
          throw Error("ERR_VSSL_TEST", "a clip that does more than it was said to do");
        make_clip(clip.data(), block);
      }
      for (int64_t i = 0; i < values; ++i) put(out, n * values + i, as, clip[i]);
    }
  }

  size_t norm_room(const NormShape& shape) const override {
    return static_cast<size_t>(shape.channels) * sizeof(double);
  }
  void norm_moments(double* moments, const void* x, const NormShape& s, Room room,
                    void* stream) const override {
    const Call call(*this, stream, moments, x);
    use_up(room, norm_room(s));
    for (int64_t c = 0; c < s.channels; ++c) {
      double sum = 0, squares = 0;
      for (int64_t r = 0; r < s.rows; ++r) sum += get(x, r * s.channels + c, s);
      const double mean = sum / static_cast<double>(s.rows);
      for (int64_t r = 0; r < s.rows; ++r) squares += square(get(x, r * s.channels + c, s) - mean);
      moments[c] = mean;
      moments[s.channels + c] = squares;
    }
  }
  void norm_forward(void* y, const NormStatistics& given, const void* x, NormAffine affine,
                    const void* residual, const NormShape& s, const NormSettings& settings,
                    void* stream) const override {
    NormStatistics t = given;
    const Call call(*this, stream, y, t.mean, t.inverse, t.running_mean, t.running_var, t.moments, x,
                    affine.gamma, affine.beta, residual);
    const auto n = static_cast<double>(t.rows);
    for (int64_t c = 0; c < s.channels; ++c) {
      const double mean = t.moments ? t.moments[c] : t.running_mean[c];
      const double var = t.moments ? t.moments[s.channels + c] / n : t.running_var[c];
      if (t.moments && t.running_mean) {
        const double m = settings.momentum;
        t.running_mean[c] = static_cast<float>((1 - m) * t.running_mean[c] + m * mean);
        t.running_var[c] = static_cast<float>((1 - m) * t.running_var[c] + m * var * n / (n - 1));
      }
      const double inverse = 1 / std::sqrt(var + settings.eps);
      t.mean[c] = static_cast<float>(mean);
      t.inverse[c] = static_cast<float>(inverse);
      for (int64_t r = 0; r < s.rows; ++r) {
        const int64_t i = r * s.channels + c;
        const double value = (get(x, i, s) - mean) * inverse * affine.gamma[c] +
                             (affine.beta ? affine.beta[c] : 0.0) + (residual ? get(residual, i, s) : 0.0);
        put(y, i, s, settings.relu && value < 0 ? 0 : value);
      }
    }
  }
  void norm_backward_sums(double* sums, const void* grad_y, const void* y, const void* x, const float* mean,
                          const NormShape& s, Room room, void* stream) const override {
    const Call call(*this, stream, sums, grad_y, y, x, mean);
    use_up(room, norm_room(s));
    for (int64_t c = 0; c < s.channels; ++c) {
      sums[c] = sums[s.channels + c] = 0;
      for (int64_t i = c; i < s.rows * s.channels; i += s.channels) {
        sums[c] += passed(grad_y, y, i, s);
        sums[s.channels + c] += passed(grad_y, y, i, s) * (get(x, i, s) - mean[c]);
      }
    }
  }
  void norm_backward(const NormGradients& given, const double* own, const double* all, int64_t rows,
                     const void* grad_y, const void* y, const void* x, const float* gamma, const float* mean,
                     const float* inverse, const NormShape& s, void* stream) const override {
    NormGradients g = given;
    const Call call(*this, stream, g.x, g.residual, g.gamma, g.beta, own, all, grad_y, y, x, gamma, mean,
                    inverse);
    for (int64_t c = 0; c < s.channels; ++c) {
      const double k = rows > 0 ? 1 / static_cast<double>(rows) : 0, v = inverse[c];
      g.gamma[c] = static_cast<float>(own[s.channels + c] * v);
      if (g.beta) g.beta[c] = static_cast<float>(own[c]);
      for (int64_t i = c; i < s.rows * s.channels; i += s.channels) {
        const double p = passed(grad_y, y, i, s);
        put(g.x, i, s,
            gamma[c] * v * (p - k * all[c] - k * (get(x, i, s) - mean[c]) * v * v * all[s.channels + c]));
        if (g.residual) put(g.residual, i, s, p);
      }
    }
  }

  size_t square_sums_room(const SquareSpan*, int64_t count, int64_t) const override {
    return static_cast<size_t>(count) * sizeof(double);
  }
  void square_sums(double* sums, int64_t outputs, const SquareSpan* spans, int64_t count, Room room,
                   void* stream) const override {
    const Call call(*this, stream, sums);
    use_up(room, square_sums_room(spans, count, outputs));
    std::fill_n(sums, outputs, 0.0);
    for (int64_t k = 0; k < count; ++k) {
      SquareSpan s = spans[k];
      call.take(s.values, s.added);
      for (int64_t i = 0; i < s.size; ++i)
        sums[s.into] += square(s.scale * static_cast<double>(s.values[i]) +
                               (s.added ? s.factor * static_cast<double>(s.added[i]) : 0.0));
    }
  }
  void momentum_update(const MomentumSpan* spans, int64_t count, double momentum, bool nesterov,
                       const double* squares, void* stream) const override {
    const Call call(*this, stream, squares);
    for (int64_t k = 0; k < count; ++k) {
      MomentumSpan s = spans[k];
      call.take(s.parameter, s.velocity, s.gradient);
      double inner = s.inner;
      if (squares && s.trust > 0 && squares[k] > 0 && squares[count + k] > 0)
        inner *= s.trust * std::sqrt(squares[k] / squares[count + k]);
      for (int64_t i = 0; i < s.size; ++i) {
        const double g =
            static_cast<double>(s.scale) * s.gradient[i] + static_cast<double>(s.decay) * s.parameter[i];
        const double v = momentum * s.velocity[i] + inner * g;
        s.velocity[i] = static_cast<float>(v);
        s.parameter[i] =
            static_cast<float>(s.parameter[i] - s.outer * (nesterov ? inner * g + momentum * v : v));
      }
    }
  }
  void adam_update(const AdamSpan* spans, int64_t count, const AdamSettings& t, void* stream) const override {
    const Call call(*this, stream);
    for (int64_t k = 0; k < count; ++k) {
      AdamSpan s = spans[k];
      call.take(s.parameter, s.first, s.second, s.gradient);
      for (int64_t i = 0; i < s.size; ++i) {
        const double g = static_cast<double>(s.scale) * s.gradient[i];
        const double a = t.beta1 * s.first[i] + (1.0 - t.beta1) * g;
        const double b = t.beta2 * s.second[i] + (1.0 - t.beta2) * g * g;
        s.first[i] = static_cast<float>(a);
        s.second[i] = static_cast<float>(b);
        s.parameter[i] = static_cast<float>(s.keep * static_cast<double>(s.parameter[i]) -
                                            s.rate * a / (std::sqrt(b) * s.inverse_root + t.eps));
      }
    }
  }

 private:
  // One call: the stream is the device's, and so are all pointers, which become those that can be followed.
  struct Call {
    template <typename... Pointers>
    Call(const ProtectedKernels& kernels, void* stream, Pointers&... pointers) {
      if (stream != kernels.stream(protected_device)) throw Error("ERR_VSSL_TEST", "another stream");
      take(pointers...);
    }
    template <typename... Pointers>
    void take(Pointers&... pointers) const {
      (take_one(pointers), ...);
    }
    template <typename T>
    static void take_one(T*& pointer) {
      if (pointer == nullptr) return;
      if (!Arena::get().holds(pointer))
        throw Error("ERR_VSSL_TEST", "a kernel of the device was given a pointer to the host's memory");
      pointer = Arena::get().open(pointer);
    }
  };

  struct Ring {
    explicit Ring(QueuePlace queue) : options(queue.options) {
      length = static_cast<int64_t*>(queue.memory);
      next = length + 1;
      ids = options.ids ? next + 1 : nullptr;
      keys = reinterpret_cast<float*>(next + 1 + (options.ids ? options.capacity : 0));
      ages = keys + options.capacity * options.dim;
    }
    std::unique_ptr<MomentumQueue> open() const {
      MomentumQueueOptions empty = options;
      empty.init = QueueInit::kEmpty;
      auto twin = std::make_unique<MomentumQueue>(empty);
      twin->restore(keys, ages, *length, *next, *length > 0 ? ids : nullptr);
      return twin;
    }
    MomentumQueueOptions options;
    int64_t *length, *next, *ids;
    float *keys, *ages;
  };

  // A workspace that is smaller than it was said to be would be found here.
  static void use_up(Room room, size_t bytes) {
    if (room.bytes < bytes || !Arena::get().holds(room.memory, bytes) ||
        reinterpret_cast<uintptr_t>(room.memory) % 256 != 0)
      throw Error("ERR_VSSL_TEST", "a workspace that is too small, or not where it should be");
    std::memset(Arena::get().open(room.memory), 0x7f, bytes);
  }

  static double square(double x) { return x * x; }
  static double get(const void* data, int64_t i, const NormShape& s) {
    if (s.type == Element::kBf16) return static_cast<const c10::BFloat16*>(data)[i];
    if (s.type == Element::kHalf) return static_cast<const c10::Half*>(data)[i];
    return static_cast<const float*>(data)[i];
  }
  static void put(void* data, int64_t i, const NormShape& s, double value) {
    const auto v = static_cast<float>(value);
    if (s.type == Element::kBf16)
      static_cast<c10::BFloat16*>(data)[i] = v;
    else if (s.type == Element::kHalf)
      static_cast<c10::Half*>(data)[i] = v;
    else
      static_cast<float*>(data)[i] = v;
  }
  static double passed(const void* grad_y, const void* y, int64_t i, const NormShape& s) {
    return y && get(y, i, s) <= 0 ? 0 : get(grad_y, i, s);
  }

  int stream_ = 0;
};

// The device "protected" becomes one of the engine's.
inline void add_protected_device() {
  static const ProtectedKernels kernels;
  begin_protected_device();
  add_device_kind({"protected", kProtected, &kernels, [](int64_t index) {
                     return index == 0 ? std::string() : std::string("there is one alone");
                   }});
}

}  // namespace vssl::engine::testing
