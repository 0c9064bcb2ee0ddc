#include "key_queue.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "../device/devices.h"
#include "../errors.h"
#include "../layers/first_order.h"
#include "rows.h"

namespace vssl::engine {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const int64_t* ids_or_null(const Tensor& ids) {
  return ids.defined() ? ids.const_data_ptr<int64_t>() : nullptr;
}

// On the device of the queue, one a row; undefined stays so.
Tensor placed_ids(const Tensor& ids, int64_t rows, at::Device device) {
  if (!ids.defined()) return ids;
  if (ids.dim() != 1 || ids.size(0) != rows || ids.scalar_type() != at::kLong)
    throw_invalid("expected ids of shape (" + std::to_string(rows) + "), int64, got " +
                  shape_text(ids.sizes()));
  return ids.to(device).contiguous();
}

// A function's argument must be a tensor that is there, or none.
std::optional<Tensor> if_any(const Tensor& x) {
  return x.defined() ? std::optional<Tensor>(x) : std::nullopt;
}

struct InfoNceFunction : torch::autograd::Function<InfoNceFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& queries, const Tensor& keys,
                        const MomentumQueue* queue, double temperature, const std::optional<Tensor>& ids) {
    const Tensor q = queries.to(at::kFloat).contiguous();
    const Tensor k = keys.to(at::kFloat).contiguous();
    const Tensor gradient = at::empty_like(q);
    InfoNceOptions options;
    options.temperature = temperature;
    options.threads = at::get_num_threads();
    options.ids = ids ? ids->const_data_ptr<int64_t>() : nullptr;
    const double loss = queue->info_nce(gradient.mutable_data_ptr<float>(), q.const_data_ptr<float>(),
                                        k.const_data_ptr<float>(), q.size(0), options);
    ctx->save_for_backward({gradient});
    return at::full({}, loss, q.options());
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    refuse_second_order("InfoNCE");
    return {ctx->get_saved_variables()[0] * grads[0], Tensor(), Tensor(), Tensor(), Tensor()};
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

  void enqueue(const Tensor& keys, const Tensor& ids) override {
    const Tensor k = keys.to(at::kFloat).contiguous();
    if (k.dim() != 2 || k.size(1) != queue_.options().dim)
      throw_invalid("expected keys of shape (n, " + std::to_string(queue_.options().dim) + "), got " +
                    shape_text(k.sizes()));
    const Tensor own = placed_ids(ids, k.size(0), at::kCPU);
    if (k.size(0) > 0) queue_.enqueue(k.const_data_ptr<float>(), k.size(0), ids_or_null(own));
  }

  Tensor info_nce_loss(const Tensor& queries, const Tensor& keys, double temperature,
                       const Tensor& ids) const override {
    check_rows(queries, keys, queue_.options().dim);
    return InfoNceFunction::apply(queries, keys.detach(), &queue_, temperature,
                                  if_any(placed_ids(ids, queries.size(0), at::kCPU)));
  }

  NamedHandles state() const override {
    const QueueSnapshot now = queue_.snapshot();
    const Tensor keys = at::empty({now.length, now.options.dim}), ages = at::empty({now.length});
    copy_keys(keys.mutable_data_ptr<float>(), now);
    copy_ages(ages.mutable_data_ptr<float>(), now);
    NamedHandles all{{"keys", keys}, {"ages", ages}, {"next", at::full({}, now.next, at::kLong)}};
    if (now.options.ids) {
      all.emplace_back("ids", at::empty({now.length}, at::kLong));
      copy_ids(all.back().second.mutable_data_ptr<int64_t>(), now);
    }
    return all;
  }

  void restore(const NamedHandles& state) override {
    const Tensor &keys = state[0].second, &ages = state[1].second, &next = state[2].second;
    queue_.restore(keys.const_data_ptr<float>(), ages.const_data_ptr<float>(), keys.size(0),
                   next.item<int64_t>(), state.size() > 3 ? ids_or_null(state[3].second) : nullptr);
  }

  int64_t bytes() const override { return queue_.bytes(); }

 private:
  MomentumQueue queue_;
};

struct DeviceInfoNce : torch::autograd::Function<DeviceInfoNce> {
  static Tensor forward(AutogradContext* ctx, const Tensor& queries, const Tensor& keys,
                        const DeviceKernels* kernels, QueuePlace queue, double temperature,
                        const std::optional<Tensor>& ids) {
    const Tensor q = queries.to(at::kFloat).contiguous(), k = keys.to(at::kFloat).contiguous();
    const Tensor gradient = at::empty_like(q), loss = at::empty({}, q.options().dtype(at::kDouble));
    InfoNceOptions options;
    options.temperature = temperature;
    options.ids = ids ? ids->const_data_ptr<int64_t>() : nullptr;
    const Scratch scratch(kernels->info_nce_room(queue.options, q.size(0), options), q.device());
    kernels->info_nce(loss.mutable_data_ptr<double>(), gradient.mutable_data_ptr<float>(),
                      q.const_data_ptr<float>(), k.const_data_ptr<float>(), q.size(0), queue, options,
                      scratch.room(), kernels->stream(q.device()));
    ctx->save_for_backward({gradient});
    return loss.to(at::kFloat);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    refuse_second_order("InfoNCE");
    return {ctx->get_saved_variables()[0] * grads[0], Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
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

  void enqueue(const Tensor& keys, const Tensor& ids) override {
    const Tensor k = keys.to(at::kFloat).contiguous();
    if (k.dim() != 2 || k.size(1) != options_.dim)
      throw_invalid("expected keys of shape (n, " + std::to_string(options_.dim) + "), got " +
                    shape_text(k.sizes()));
    const int64_t rows = k.size(0);
    if (rows == 0) return;
    const Tensor own = placed_ids(ids, rows, device_);
    kernels_.queue_enqueue(place(), k.const_data_ptr<float>(), rows, ids_or_null(own),
                           kernels_.stream(device_));
    length_ = std::min(length_ + rows, options_.capacity);
    next_ = (next_ + rows) % options_.capacity;
  }

  Tensor info_nce_loss(const Tensor& queries, const Tensor& keys, double temperature,
                       const Tensor& ids) const override {
    check_rows(queries, keys, options_.dim);
    return DeviceInfoNce::apply(queries, keys.detach(), &kernels_, place(), temperature,
                                if_any(placed_ids(ids, queries.size(0), device_)));
  }

  NamedHandles state() const override {
    const auto floats = at::TensorOptions().dtype(at::kFloat).device(device_);
    const Tensor keys = at::empty({options_.capacity, options_.dim}, floats),
                 ages = at::empty({options_.capacity}, floats),
                 length = at::empty({}, floats.dtype(at::kLong));
    Tensor ids;
    if (options_.ids) ids = at::empty({options_.capacity}, floats.dtype(at::kLong));
    kernels_.queue_read(keys.mutable_data_ptr<float>(), ages.mutable_data_ptr<float>(),
                        ids.defined() ? ids.mutable_data_ptr<int64_t>() : nullptr,
                        length.mutable_data_ptr<int64_t>(), place(), kernels_.stream(device_));
    NamedHandles all{{"keys", keys.slice(0, 0, length_)},
                     {"ages", ages.slice(0, 0, length_)},
                     {"next", at::full({}, next_, at::kLong)}};
    if (ids.defined()) all.emplace_back("ids", ids.slice(0, 0, length_));
    return all;
  }

  void restore(const NamedHandles& state) override {
    const Tensor keys = state[0].second.to(device_), ages = state[1].second.to(device_);
    length_ = keys.size(0);
    next_ = state[2].second.item<int64_t>();
    const Tensor ids = state.size() > 3 ? state[3].second.to(device_) : Tensor();
    kernels_.queue_restore(place(), keys.const_data_ptr<float>(), ages.const_data_ptr<float>(),
                           ids_or_null(ids), length_, next_, kernels_.stream(device_));
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
                             const Tensor& ages, const MomentumQueueOptions& options, double temperature,
                             const Tensor& left_out, const Tensor& negatives) {
  const Tensor q = unit_rows(queries);
  const Tensor positive = (q * unit_rows(keys)).sum(1, true) / temperature;
  Tensor negative = at::matmul(q, queue.t()) / temperature;
  const Tensor age = ages.to(q.scalar_type());
  if (options.decay_on == DecayOn::kLogit) {
    negative = negative * at::pow(options.decay, age);
  } else {
    negative = negative + age * std::log(options.decay);
  }
  if (left_out.defined()) negative = negative.masked_fill(left_out, -std::numeric_limits<double>::infinity());
  if (negatives.defined())
    negative = at::cat({negative, (q * unit_rows(negatives)).sum(1, true) / temperature}, 1);
  return (at::cat({positive, negative}, 1).logsumexp(1) - positive.squeeze(1)).mean();
}

Tensor KeyQueue::info_nce_against_own(const Tensor& queries, const Tensor& keys, const Tensor& negatives,
                                      const MomentumQueueOptions& options, double temperature,
                                      const Tensor& ids) const {
  const NamedHandles now = state();
  Tensor left_out;
  if (ids.defined()) {
    const Tensor own = ids.to(queries.device()).unsqueeze(1);
    left_out = own.eq(now[3].second.to(queries.device()).unsqueeze(0)).logical_and(own.ge(0));
  }
  return info_nce_from_formula(queries.to(at::kFloat), keys.detach().to(at::kFloat), now[0].second,
                               now[1].second, options, temperature, left_out,
                               negatives.detach().to(at::kFloat));
}

std::unique_ptr<KeyQueue> create_key_queue(const MomentumQueueOptions& options, at::Device device) {
  if (const DeviceKernels* kernels = kernels_of(device))
    return std::make_unique<DeviceKeyQueue>(options, device, *kernels);
  return std::make_unique<HostKeyQueue>(options);
}

}  // namespace vssl::engine
