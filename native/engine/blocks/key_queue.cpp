#include "key_queue.h"

#include <algorithm>
#include <cmath>

#include "../device/devices.h"
#include "../errors.h"
#include "../layers/first_order.h"
#include "rows.h"

namespace vssl::engine {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct InfoNceFunction : torch::autograd::Function<InfoNceFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& queries, const Tensor& keys,
                        const MomentumQueue* queue, double temperature) {
    const Tensor q = queries.to(at::kFloat).contiguous();
    const Tensor k = keys.to(at::kFloat).contiguous();
    const Tensor gradient = at::empty_like(q);
    InfoNceOptions options;
    options.temperature = temperature;
    options.threads = at::get_num_threads();
    const double loss = queue->info_nce(gradient.mutable_data_ptr<float>(), q.const_data_ptr<float>(),
                                        k.const_data_ptr<float>(), q.size(0), options);
    ctx->save_for_backward({gradient});
    return at::full({}, loss, q.options());
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    refuse_second_order("InfoNCE");
    return {ctx->get_saved_variables()[0] * grads[0], Tensor(), Tensor(), Tensor()};
  }
};

void check_rows(const Tensor& queries, const Tensor& keys, int64_t dim) {
  if (queries.dim() != 2 || queries.size(0) < 1 || queries.size(1) != dim || queries.sizes() != keys.sizes())
    throw_invalid("InfoNCE needs queries and keys of shape (n, " + std::to_string(dim) + "), got " +
                  shape_text(queries.sizes()) + " and " + shape_text(keys.sizes()));
}

class HostKeyQueue : public KeyQueue {
 public:
  explicit HostKeyQueue(const MomentumQueueOptions& options) : queue_(options) {}

  void enqueue(const Tensor& keys) override {
    const Tensor k = keys.to(at::kFloat).contiguous();
    if (k.dim() != 2 || k.size(1) != queue_.options().dim)
      throw_invalid("expected keys of shape (n, " + std::to_string(queue_.options().dim) + "), got " +
                    shape_text(k.sizes()));
    if (k.size(0) > 0) queue_.enqueue(k.const_data_ptr<float>(), k.size(0));
  }

  Tensor info_nce_loss(const Tensor& queries, const Tensor& keys, double temperature) const override {
    check_rows(queries, keys, queue_.options().dim);
    return InfoNceFunction::apply(queries, keys.detach(), &queue_, temperature);
  }

  NamedHandles state() const override {
    const QueueSnapshot now = queue_.snapshot();
    const Tensor keys = at::empty({now.length, now.options.dim}), ages = at::empty({now.length});
    copy_keys(keys.mutable_data_ptr<float>(), now);
    copy_ages(ages.mutable_data_ptr<float>(), now);
    return {{"keys", keys}, {"ages", ages}, {"next", at::full({}, now.next, at::kLong)}};
  }

  void restore(const NamedHandles& state) override {
    const Tensor &keys = state[0].second, &ages = state[1].second, &next = state[2].second;
    queue_.restore(keys.const_data_ptr<float>(), ages.const_data_ptr<float>(), keys.size(0),
                   next.item<int64_t>());
  }

  int64_t bytes() const override { return queue_.bytes(); }

 private:
  MomentumQueue queue_;
};

struct DeviceInfoNce : torch::autograd::Function<DeviceInfoNce> {
  static Tensor forward(AutogradContext* ctx, const Tensor& queries, const Tensor& keys,
                        const DeviceKernels* kernels, QueuePlace queue, double temperature) {
    const Tensor q = queries.to(at::kFloat).contiguous(), k = keys.to(at::kFloat).contiguous();
    const Tensor gradient = at::empty_like(q), loss = at::empty({}, q.options().dtype(at::kDouble));
    InfoNceOptions options;
    options.temperature = temperature;
    const Scratch scratch(kernels->info_nce_room(queue.options, q.size(0), options), q.device());
    kernels->info_nce(loss.mutable_data_ptr<double>(), gradient.mutable_data_ptr<float>(),
                      q.const_data_ptr<float>(), k.const_data_ptr<float>(), q.size(0), queue, options,
                      scratch.room(), kernels->stream(q.device()));
    ctx->save_for_backward({gradient});
    return loss.to(at::kFloat);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    refuse_second_order("InfoNCE");
    return {ctx->get_saved_variables()[0] * grads[0], Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

class DeviceKeyQueue : public KeyQueue {
 public:
  DeviceKeyQueue(const MomentumQueueOptions& options, at::Device device, const DeviceKernels& kernels)
      : options_(options),
        kernels_(kernels),
        device_(device),
        memory_(at::empty({static_cast<int64_t>(kernels.queue_bytes(options))},
                          at::TensorOptions().dtype(at::kByte).device(device))) {
    restore(HostKeyQueue(options).state());
  }

  void enqueue(const Tensor& keys) override {
    const Tensor k = keys.to(at::kFloat).contiguous();
    if (k.dim() != 2 || k.size(1) != options_.dim)
      throw_invalid("expected keys of shape (n, " + std::to_string(options_.dim) + "), got " +
                    shape_text(k.sizes()));
    const int64_t rows = k.size(0);
    if (rows == 0) return;
    kernels_.queue_enqueue(place(), k.const_data_ptr<float>(), rows, kernels_.stream(device_));
    length_ = std::min(length_ + rows, options_.capacity);
    next_ = (next_ + rows) % options_.capacity;
  }

  Tensor info_nce_loss(const Tensor& queries, const Tensor& keys, double temperature) const override {
    check_rows(queries, keys, options_.dim);
    return DeviceInfoNce::apply(queries, keys.detach(), &kernels_, place(), temperature);
  }

  NamedHandles state() const override {
    const auto floats = at::TensorOptions().dtype(at::kFloat).device(device_);
    const Tensor keys = at::empty({options_.capacity, options_.dim}, floats),
                 ages = at::empty({options_.capacity}, floats),
                 length = at::empty({}, floats.dtype(at::kLong));
    kernels_.queue_read(keys.mutable_data_ptr<float>(), ages.mutable_data_ptr<float>(),
                        length.mutable_data_ptr<int64_t>(), place(), kernels_.stream(device_));
    return {{"keys", keys.slice(0, 0, length_)},
            {"ages", ages.slice(0, 0, length_)},
            {"next", at::full({}, next_, at::kLong)}};
  }

  void restore(const NamedHandles& state) override {
    const Tensor keys = state[0].second.to(device_), ages = state[1].second.to(device_);
    length_ = keys.size(0);
    next_ = state[2].second.item<int64_t>();
    kernels_.queue_restore(place(), keys.const_data_ptr<float>(), ages.const_data_ptr<float>(), length_,
                           next_, kernels_.stream(device_));
  }

  int64_t bytes() const override { return memory_.numel(); }

 private:
  QueuePlace place() const { return {options_, memory_.mutable_data_ptr()}; }

  const MomentumQueueOptions options_;
  const DeviceKernels& kernels_;
  const at::Device device_;
  Tensor memory_;
  int64_t length_ = 0, next_ = 0;  // as on the device
};

}  // namespace

Tensor info_nce_from_formula(const Tensor& queries, const Tensor& keys, const Tensor& queue,
                             const Tensor& ages, const MomentumQueueOptions& options, double temperature) {
  const Tensor q = unit_rows(queries);
  const Tensor positive = (q * unit_rows(keys)).sum(1, true) / temperature;
  Tensor negative = at::matmul(q, queue.t()) / temperature;
  const Tensor age = ages.to(q.scalar_type());
  if (options.decay_on == DecayOn::kLogit) {
    negative = negative * at::pow(options.decay, age);
  } else {
    negative = negative + age * std::log(options.decay);
  }
  return (at::cat({positive, negative}, 1).logsumexp(1) - positive.squeeze(1)).mean();
}

std::unique_ptr<KeyQueue> create_key_queue(const MomentumQueueOptions& options, at::Device device) {
  if (const DeviceKernels* kernels = kernels_of(device))
    return std::make_unique<DeviceKeyQueue>(options, device, *kernels);
  return std::make_unique<HostKeyQueue>(options);
}

}  // namespace vssl::engine
