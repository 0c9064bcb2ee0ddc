#include "key_queue.h"

#include <cmath>

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

class AtenKeyQueue : public KeyQueue {
 public:
  AtenKeyQueue(const MomentumQueueOptions& options, at::Device device) : options_(options) {
    const NamedHandles state = HostKeyQueue(options).state();  // the same first keys as on the CPU
    keys_ = state[0].second.to(device);
    ages_ = state[1].second.to(device);
    next_ = state[2].second;
  }

  void enqueue(const Tensor& keys) override {
    const at::NoGradGuard no_grad;
    const int64_t capacity = options_.capacity, rows = keys.size(0), at = next_.item<int64_t>();
    const bool per_key = options_.age_unit == AgeUnit::kKey;
    ages_.add_(per_key ? rows : 1);
    const int64_t kept = std::min(rows, capacity);  // of more rows than the ring holds the last ones stay
    const auto options = at::TensorOptions().dtype(at::kLong).device(keys_.device());
    const Tensor order = at::arange(rows - kept, rows, options);
    const Tensor slots = (order + at).remainder(capacity);
    keys_.index_copy_(0, slots, unit_rows(keys.to(at::kFloat)).index_select(0, order));
    ages_.index_copy_(0, slots, per_key ? (rows - order).to(at::kFloat) : at::ones({kept}, ages_.options()));
    next_.fill_((at + rows) % capacity);
  }

  Tensor info_nce_loss(const Tensor& queries, const Tensor& keys, double temperature) const override {
    check_rows(queries, keys, options_.dim);
    return info_nce_from_formula(queries, keys.detach(), keys_, ages_, options_, temperature);
  }

  NamedHandles state() const override { return {{"keys", keys_}, {"ages", ages_}, {"next", next_}}; }
  void restore(const NamedHandles&) override {}  // state() gave the tensors themselves
  int64_t bytes() const override { return static_cast<int64_t>(keys_.nbytes() + ages_.nbytes()); }

 private:
  MomentumQueueOptions options_;
  Tensor keys_, ages_, next_;
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
  if (device.is_cpu()) return std::make_unique<HostKeyQueue>(options);
  return create_aten_key_queue(options, device);
}

std::unique_ptr<KeyQueue> create_aten_key_queue(const MomentumQueueOptions& options, at::Device device) {
  return std::make_unique<AtenKeyQueue>(options, device);
}

}  // namespace vssl::engine
