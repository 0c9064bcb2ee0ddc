// The queue on the device against the CPU's queue and the double-precision twin.
#pragma once

#include "cuda_testing.h"
#include "kernels_queue_testing.h"

namespace vssl::cuda {

/// A device queue with the contents of a CPU queue.
class QueueOnDevice {
 public:
  explicit QueueOnDevice(const MomentumQueue& queue)
      : memory_(queue_bytes(queue.options())), queue_{queue.options(), memory_.get()} {
    const QueueSnapshot now = queue.snapshot();
    const DeviceArray<float> keys(keys_of(queue)), ages(ages_of(queue));
    const DeviceArray<int64_t> ids(ids_of(queue));
    enqueue_work([&](cudaStream_t stream) {
      queue_restore(queue_, keys.get(), ages.get(), queue.options().ids ? ids.get() : nullptr, now.length,
                    now.next, stream);
    });
  }

  const DeviceQueue& get() const { return queue_; }

 private:
  DeviceArray<unsigned char> memory_;
  DeviceQueue queue_;
};

struct QueueOutcome {
  double loss;
  std::vector<float> gradient;
};

inline QueueOutcome run_info_nce(const QueueCase& c, const QueueInput& in, bool gradient = true,
                                 bool in_place = false, int replays = 0) {
  InfoNceOptions options = c.options();
  const DeviceArray<int64_t> ids(in.ids);
  if (c.videos > 0) options.ids = ids.get();
  const QueueOnDevice queue(in.queue);
  const std::size_t bytes = info_nce_workspace(c.queue_options(), c.rows, options, gradient);
  DeviceArray<unsigned char> workspace(bytes);
  DeviceArray<float> queries(in.queries, 1), keys(in.keys, 1), out(in.queries.size(), 1);
  DeviceArray<double> loss(1);
  float* const to = in_place ? queries.get() : out.get();
  enqueue_work(
      [&](cudaStream_t stream) {
        info_nce(loss.get(), gradient ? to : nullptr, queries.get(), keys.get(), c.rows, queue.get(), options,
                 workspace.get(), bytes, stream);
      },
      replays);
  return {loss.read()[0], in_place ? queries.read() : out.read()};
}

/// What rounding the operands alone does to the gradient and the loss: a bf16 call may be off by twice that,
/// and by the rounding of the weights.
inline void widen_for_bf16(QueueExpected& expected, const QueueCase& c, const QueueInput& in) {
  const int64_t size = c.rows * c.dim;
  std::vector<double> q = wide(in.queries), p = wide(in.keys), k = wide(keys_of(in.queue));
  const std::vector<double> x = q;
  if (c.normalize) {
    normalize_rows_reference(q.data(), std::vector<double>(q).data(), c.rows, c.dim);
    normalize_rows_reference(p.data(), std::vector<double>(p).data(), c.rows, c.dim);
  }
  for (std::vector<double>* values : {&q, &p, &k}) {
    for (double& value : *values) value = rounded_to_bf16(value);
  }
  InfoNceOptions options = in.options(c);
  options.normalize = false;
  std::vector<double> g(size), through(size);
  const double loss = info_nce_reference(g.data(), q.data(), p.data(), c.rows, c.dim, k.data(),
                                         wide(ages_of(in.queue)).data(), in.queue.length(), c.queue_options(),
                                         options, ids_or_null(ids_of(in.queue)));
  if (c.normalize) {
    normalize_rows_backward_reference(through.data(), g.data(), x.data(), c.rows, c.dim);
  } else {
    through = g;
  }
  double weights = 0;  // two gradients of size 1 / (rows tau |x|) a row, to 2^-9 each
  for (int64_t i = 0; i < c.rows; ++i) {
    double square = 0;
    for (int64_t d = 0; d < c.dim; ++d) square += x[i * c.dim + d] * x[i * c.dim + d];
    weights += c.normalize ? 1 / std::max(square, 1e-24) : 1;
  }
  expected.loss_tolerance += 2 * std::fabs(loss - expected.loss) + 1e-3;
  expected.gradient_tolerance += 2 * distance(through, expected.gradient) +
                                 0x1p-8 * std::sqrt(weights) / (static_cast<double>(c.rows) * c.tau);
}

inline void check_outcome(const QueueCase& c, const QueueOutcome& outcome, const QueueExpected& expected) {
  const double loss = std::fabs(outcome.loss - expected.loss) / expected.loss_tolerance;
  const double gradient = distance(wide(outcome.gradient), expected.gradient) / expected.gradient_tolerance;
  check(loss <= 1, name(c) + ": loss off by " + std::to_string(loss) + " tolerances");
  check(gradient <= 1, name(c) + ": gradient off by " + std::to_string(gradient) + " tolerances");
}

/// In fp32 and in bf16, on each path, against one expectation.
inline void compare_info_nce(QueueCase c) {
  const QueueInput in(c);
  QueueExpected expected = expect(c, in);
  on_each_path(c.precision, [&] { check_outcome(c, run_info_nce(c, in), expected); });
  c.precision = Precision::kBf16;
  widen_for_bf16(expected, c, in);
  on_each_path(c.precision, [&] { check_outcome(c, run_info_nce(c, in), expected); });
}

inline void check_equal_bits(const QueueCase& c) {
  const QueueInput in(c);
  const QueueOutcome first = run_info_nce(c, in);
  const auto same = [&](const QueueOutcome& other) {
    return other.loss == first.loss && same_bits(other.gradient, first.gradient);
  };
  check(same(run_info_nce(c, in)), name(c) + ": other bits the second time");
  check(same(run_info_nce(c, in, true, true)), name(c) + ": other bits in place");
  if (!kEmulated) check(same(run_info_nce(c, in, true, false, 3)), name(c) + ": other bits from a graph");
  const QueueOutcome loss_only = run_info_nce(c, in, false);
  check(std::fabs(loss_only.loss - first.loss) <= 1e-6 * (1 + std::fabs(first.loss)),
        name(c) + ": another loss without gradient");
}

inline void check_not_finite(const QueueCase& c) {
  for (int where = 0; where < 3; ++where) {
    QueueInput in(c);
    if (where == 0) in.queries.back() = NAN;
    if (where == 1) in.keys.front() = -INFINITY;
    if (where == 2) {
      std::vector<float> key(c.dim, 1.0f);
      key.back() = INFINITY;
      in.queue.enqueue(key.data(), 1);
    }
    const QueueOutcome outcome = run_info_nce(c, in);
    const bool all =
        std::all_of(outcome.gradient.begin(), outcome.gradient.end(), [](float g) { return std::isnan(g); });
    check(std::isnan(outcome.loss) && all,
          name(c) + ": what is not finite does not give NaN everywhere, " + std::to_string(where));
  }
}

inline void check_empty(const QueueCase& c) {
  QueueInput in(c);
  in.queue.restore(nullptr, nullptr, 0, 0);
  const QueueOutcome outcome = run_info_nce(c, in);
  const bool zeros =
      std::all_of(outcome.gradient.begin(), outcome.gradient.end(), [](float g) { return g == 0; });
  check(outcome.loss == 0 && zeros, name(c) + ": an empty queue gives no 0");
}

/// Keys, ages and length after batches of every kind, wrapping and longer than the ring, are the CPU's.
inline void check_ring(const QueueCase& c) {
  MomentumQueueOptions options = c.queue_options();
  options.init = QueueInit::kEmpty;
  MomentumQueue on_cpu(options);
  const QueueOnDevice on_device(on_cpu);
  unsigned draw = 5;
  for (int64_t rows :
       {int64_t{1}, c.capacity / 2, c.capacity / 3 + 1, c.capacity, int64_t{2}, 2 * c.capacity + 3}) {
    const std::vector<float> keys = make(c.data, std::max<int64_t>(1, rows), c.dim, ++draw);
    const int64_t count = static_cast<int64_t>(keys.size()) / c.dim;
    const std::vector<int64_t> ids = draw_ids(c, count, draw);
    on_cpu.enqueue(keys.data(), count, ids_or_null(ids));
    const DeviceArray<float> sent(keys, 1);
    const DeviceArray<int64_t> sent_ids(ids);
    enqueue_work([&](cudaStream_t stream) {
      queue_enqueue(on_device.get(), sent.get(), count, c.videos > 0 ? sent_ids.get() : nullptr, stream);
    });
    const DeviceArray<float> read_keys(c.capacity * c.dim), read_ages(c.capacity);
    const DeviceArray<int64_t> read_length(1), read_ids(c.capacity);
    enqueue_work([&](cudaStream_t stream) {
      queue_read(read_keys.get(), read_ages.get(), c.videos > 0 ? read_ids.get() : nullptr, read_length.get(),
                 on_device.get(), stream);
    });
    std::vector<float> k = read_keys.read(), ages = read_ages.read();
    const int64_t length = read_length.read()[0];
    k.resize(length * c.dim);
    ages.resize(length);
    std::vector<int64_t> numbers = read_ids.read();
    numbers.resize(c.videos > 0 ? length : 0);
    check(numbers == ids_of(on_cpu), name(c) + ": other numbers");
    check(length == on_cpu.length() && ages == ages_of(on_cpu), name(c) + ": other ages");
    check(distance(wide(k), wide(keys_of(on_cpu))) <= 1e-6, name(c) + ": other keys");
  }
}

inline std::vector<QueueCase> queue_cases() {
  std::vector<QueueCase> cases;
  const auto add = [&](int64_t rows, int64_t capacity, int64_t dim, double tau, double decay, DecayOn on,
                       AgeUnit unit, Data data = Data::kNormal, bool normalize = true) {
    cases.push_back({rows, capacity, dim, tau, decay, on, unit, data, normalize});
  };
  int turn = 0;
  const std::vector<int64_t> rows_list =
      kEmulated ? std::vector<int64_t>{1, 33} : std::vector<int64_t>{1, 2, 33, 127, 128, 129, 256};
  const std::vector<int64_t> capacities = kEmulated
                                              ? std::vector<int64_t>{1, 65, 300}
                                              : std::vector<int64_t>{1, 2, 63, 64, 65, 129, 1000, 4096 + 3};
  for (int64_t rows : rows_list) {
    for (int64_t capacity : capacities) {
      for (int64_t dim : {1, 3, 64, 65, 128, 129, kEmulated ? 5 : 512}) {
        const double decays[] = {1, 0.99999, 0.9};
        const double taus[] = {0.02, 0.07, 0.5, 1};
        add(rows, capacity, dim, taus[turn % 4], decays[turn % 3],
            turn / 3 % 2 == 0 ? DecayOn::kLogit : DecayOn::kWeight,
            turn / 2 % 2 == 0 ? AgeUnit::kEnqueue : AgeUnit::kKey);
        ++turn;
      }
    }
  }
  for (Data data : {Data::kClustered, Data::kDuplicates, Data::kZeroRows, Data::kHugeRows, Data::kTinyRows,
                    Data::kOpposite, Data::kConfident}) {
    add(10, 70, 65, 0.02, 0.9, DecayOn::kLogit, AgeUnit::kKey, data);
    add(67, 260, 16, 0.07, 0.99999, DecayOn::kLogit, AgeUnit::kEnqueue, data);
    add(20, 130, 128, 0.1, 0.9, DecayOn::kWeight, AgeUnit::kEnqueue, data);
  }
  add(33, 300, 64, 1.0, 0.9, DecayOn::kWeight, AgeUnit::kKey, Data::kNormal, false);
  add(33, 300, 3, 40.0, 0.9, DecayOn::kLogit, AgeUnit::kEnqueue, Data::kNormal, false);
  // Own keys left out: few videos, one, more than there are keys; fixed shift and running maximum.
  for (int64_t videos : {1, 5, 1000}) {
    for (DecayOn on : {DecayOn::kLogit, DecayOn::kWeight}) {
      QueueCase c{33, 300, 65, 0.07, 0.99, on, AgeUnit::kKey};
      c.videos = videos;
      cases.push_back(c);
      c.data = Data::kConfident;
      c.tau = 0.02;
      cases.push_back(c);
    }
  }
  if (!kEmulated) {
    add(256, 16384 + 5, 128, 0.07, 0.99999, DecayOn::kLogit, AgeUnit::kEnqueue);
    add(1030, 1300, 260, 0.1, 0.9, DecayOn::kLogit, AgeUnit::kEnqueue);
  }
  return cases;
}

inline void add_queue_checks(Checks& checks) {
  for (const QueueCase& c : queue_cases()) checks.push_back([c] { compare_info_nce(c); });
  const auto add = [&](const QueueCase& c, void (*run)(const QueueCase&)) {
    checks.push_back([=] { on_each_path(c.precision, [&] { run(c); }); });
  };
  for (Precision precision : {Precision::kFp32, Precision::kBf16}) {
    QueueCase c{33, kEmulated ? 400 : 5000, 128, 0.07, 0.999, DecayOn::kLogit, AgeUnit::kEnqueue};
    c.precision = precision;
    QueueCase weight = c;
    weight.decay_on = DecayOn::kWeight;
    weight.dim = 130;
    for (const QueueCase& either : {c, weight}) {
      add(either, check_equal_bits);
      add(either, check_not_finite);
    }
    add(c, check_empty);
  }
  for (AgeUnit unit : {AgeUnit::kEnqueue, AgeUnit::kKey}) {
    for (int64_t dim : {3, 70}) {
      QueueCase ring{1, 37, dim, 0.07, 0.9, DecayOn::kLogit, unit};
      add(ring, check_ring);
      ring.videos = 4;
      add(ring, check_ring);
    }
  }
}

}  // namespace vssl::cuda
