// What the suites of the queue share: queues with a history, cases, expected results, tolerances.
#pragma once

#include <string>
#include <vector>

#include "../kernels/queue.h"
#include "kernels_testing.h"

namespace vssl {

struct QueueCase {
  int64_t rows, capacity, dim;
  double tau = 0.07;
  double decay = 1;
  DecayOn decay_on = DecayOn::kLogit;
  AgeUnit age_unit = AgeUnit::kEnqueue;
  Data data = Data::kNormal;
  bool normalize = true;
  Precision precision = Precision::kFp32;
  int64_t videos = 0;  // that queries and keys are of; 0: they have no numbers

  MomentumQueueOptions queue_options() const {
    MomentumQueueOptions result;
    result.capacity = capacity;
    result.dim = dim;
    result.decay = decay;
    result.decay_on = decay_on;
    result.age_unit = age_unit;
    result.ids = videos > 0;
    return result;
  }

  InfoNceOptions options(int threads = 1) const {
    InfoNceOptions result;
    result.temperature = tau;
    result.normalize = normalize;
    result.precision = precision;
    result.threads = threads;
    return result;
  }

  std::string name() const {
    return std::string(isa_name(selected_isa())) + " rows " + std::to_string(rows) + " capacity " +
           std::to_string(capacity) + " dim " + std::to_string(dim) + " tau " + std::to_string(tau) +
           " decay " + std::to_string(decay) + (decay_on == DecayOn::kLogit ? " logit" : " weight") +
           (age_unit == AgeUnit::kEnqueue ? " enqueue " : " key ") + name_of(data) +
           (videos > 0 ? " of " + std::to_string(videos) + " videos" : "") +
           (normalize ? "" : " not normalised") + (precision == Precision::kBf16 ? " bf16" : "");
  }
};

/// Numbers of so many rows, one in seven of none; null and nothing for a case without.
inline std::vector<int64_t> draw_ids(const QueueCase& c, int64_t rows, unsigned draw) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < (c.videos > 0 ? rows : 0); ++i) {
    const int64_t drawn = (i * 7919 + static_cast<int64_t>(draw) * 104729 + i * i % 31) % (7 * c.videos);
    ids.push_back(drawn % 7 == 0 ? -1 : drawn % c.videos);
  }
  return ids;
}

inline const int64_t* ids_or_null(const std::vector<int64_t>& ids) {
  return ids.empty() ? nullptr : ids.data();
}

/// Random keys, of which keys of `data` in uneven batches have overwritten more than half, once round the
/// end.
inline void use(MomentumQueue& queue, const QueueCase& c) {
  const int64_t batch = std::max<int64_t>(1, c.capacity / 3 + 1);
  for (int64_t done = 0, step = 0; done < c.capacity + c.capacity / 2; ++step) {
    const int64_t rows = batch + step % 2;
    const std::vector<float> keys = make(c.data, rows, c.dim, 11 + static_cast<unsigned>(step));
    queue.enqueue(keys.data(), rows, ids_or_null(draw_ids(c, rows, static_cast<unsigned>(step))));
    done += rows;
  }
}

inline std::vector<float> keys_of(const MomentumQueue& queue) {
  const QueueSnapshot now = queue.snapshot();
  std::vector<float> keys(now.length * now.options.dim);
  copy_keys(keys.data(), now);
  return keys;
}

inline std::vector<float> ages_of(const MomentumQueue& queue) {
  const QueueSnapshot now = queue.snapshot();
  std::vector<float> ages(now.length);
  copy_ages(ages.data(), now);
  return ages;
}

inline std::vector<int64_t> ids_of(const MomentumQueue& queue) {
  const QueueSnapshot now = queue.snapshot();
  std::vector<int64_t> ids(now.options.ids ? now.length : 0);
  if (now.options.ids) copy_ids(ids.data(), now);
  return ids;
}

inline std::vector<double> wide(const std::vector<float>& x) { return {x.begin(), x.end()}; }

struct QueueInput {
  MomentumQueue queue;
  std::vector<float> queries, keys;
  std::vector<int64_t> ids;  // of the queries

  explicit QueueInput(const QueueCase& c, unsigned draw = 0)
      : queue(c.queue_options()),
        queries(make(c.data, c.rows, c.dim, 1 + 2 * draw)),
        keys(make(c.data == Data::kConfident ? Data::kNormal : c.data, c.rows, c.dim, 2 + 2 * draw)) {
    use(queue, c);
    ids = draw_ids(c, c.rows, 77 + draw);
    if (c.data != Data::kConfident) return;
    for (size_t i = 0; i < keys.size(); ++i) keys[i] = queries[i] + 0.01f * keys[i];
  }

  InfoNceOptions options(const QueueCase& c, int threads = 1) const {
    InfoNceOptions result = c.options(threads);
    result.ids = ids_or_null(ids);
    return result;
  }
};

struct QueueExpected {
  double loss = 0;
  std::vector<double> gradient;
  double loss_tolerance = 0, gradient_tolerance = 0;
};

// The tolerance of NT-Xent: 1e-5 relative, and what a relative error of 1e-6 in similarities amounts to.
inline QueueExpected expect(const QueueCase& c, const QueueInput& in) {
  const std::vector<double> q = wide(in.queries), p = wide(in.keys);
  const std::vector<double> k = wide(keys_of(in.queue)), ages = wide(ages_of(in.queue));
  QueueExpected expected;
  expected.gradient.resize(q.size());
  expected.loss =
      info_nce_reference(expected.gradient.data(), q.data(), p.data(), c.rows, c.dim, k.data(), ages.data(),
                         in.queue.length(), c.queue_options(), in.options(c), ids_or_null(ids_of(in.queue)));
  double factors = 0, largest = 1;
  for (int64_t i = 0; i < c.rows; ++i) {
    double square = 0, key_square = 0;
    for (int64_t d = 0; d < c.dim; ++d) square += q[i * c.dim + d] * q[i * c.dim + d];
    for (int64_t d = 0; d < c.dim; ++d) key_square += p[i * c.dim + d] * p[i * c.dim + d];
    const double norm = std::max(std::sqrt(square), 1e-12);
    factors += c.normalize ? 1 / (norm * norm) : std::max(1.0, key_square);
    if (!c.normalize) largest = std::max(largest, norm * std::max(1.0, std::sqrt(key_square)));
  }
  const double similarity = 1e-6 / c.tau * largest;
  expected.loss_tolerance = 1e-5 * std::fabs(expected.loss) + similarity;
  expected.gradient_tolerance = 1e-5 * norm_of(expected.gradient) +
                                similarity * std::sqrt(factors) / (static_cast<double>(c.rows) * c.tau);
  return expected;
}

// One call on poisoned output at an odd address.
inline double call(std::vector<float>& gradient, const QueueCase& c, const QueueInput& in, int threads) {
  std::vector<float> q(in.queries.size() + 1), p(in.keys.size() + 1);
  std::vector<float> out(q.size(), std::numeric_limits<float>::quiet_NaN());
  std::copy(in.queries.begin(), in.queries.end(), q.begin() + 1);
  std::copy(in.keys.begin(), in.keys.end(), p.begin() + 1);
  const double loss =
      in.queue.info_nce(out.data() + 1, q.data() + 1, p.data() + 1, c.rows, in.options(c, threads));
  gradient.assign(out.begin() + 1, out.end());
  return loss;
}

}  // namespace vssl
