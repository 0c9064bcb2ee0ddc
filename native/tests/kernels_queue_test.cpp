// Tests of the queue's loss against the double-precision twin, over hostile sizes and values, on every ISA
// path. Prints a line per failure; the last line is "N passed, N failed".
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "../common/error.h"
#include "../kernels/isa.h"
#include "../kernels/queue.h"
#include "../kernels/reference.h"
#include "kernels_queue_testing.h"

namespace vssl {
namespace {

double worst_loss = 0, worst_gradient = 0;

void compare_on_all_isas(const QueueCase& c) {
  const QueueInput in(c);
  const QueueExpected expected = expect(c, in);
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    std::vector<float> gradient;
    const double loss = call(gradient, c, in, 2);
    std::vector<double> difference(gradient.size());
    for (size_t i = 0; i < gradient.size(); ++i) difference[i] = gradient[i] - expected.gradient[i];
    const double off = std::fabs(loss - expected.loss) / expected.loss_tolerance;
    check(off <= 1, c.name() + ": loss off by " + std::to_string(off) + " tolerances");
    const double gradient_off = norm_of(difference) / expected.gradient_tolerance;
    check(gradient_off <= 1, c.name() + ": gradient off by " + std::to_string(gradient_off) + " tolerances");
    worst_loss = worse(worst_loss, off);
    worst_gradient = worse(worst_gradient, gradient_off);
  }
}

struct Decay {
  double t;
  DecayOn on;
  AgeUnit unit;
};

constexpr Decay kDecays[] = {
    {1, DecayOn::kLogit, AgeUnit::kEnqueue},       {0.99999, DecayOn::kLogit, AgeUnit::kEnqueue},
    {0.99999, DecayOn::kWeight, AgeUnit::kKey},    {0.9, DecayOn::kLogit, AgeUnit::kKey},
    {0.9, DecayOn::kWeight, AgeUnit::kEnqueue},    {0.99999, DecayOn::kLogit, AgeUnit::kKey},
    {0.9, DecayOn::kWeight, AgeUnit::kKey},        {0.9, DecayOn::kLogit, AgeUnit::kEnqueue},
    {0.99999, DecayOn::kWeight, AgeUnit::kEnqueue}};
constexpr double kTaus[] = {0.02, 0.05, 0.07, 0.1, 0.5, 1.0};

// Every size; decays and temperatures take turns.
void test_grid() {
  int turn = 0;
  for (int64_t rows : {1, 2, 3, 31, 32, 33, 64, 65, 256}) {
    for (int64_t capacity : {1, 2, 63, 64, 65, 129, 1000, 4096 + 3}) {
      for (int64_t dim : {1, 3, 15, 16, 17, 32, 33, 127, 128, 129, 512}) {
        if (rows * capacity * dim > (int64_t{1} << 25) && (rows != 33 || dim != 129)) continue;
        const Decay& decay = kDecays[turn % std::size(kDecays)];
        compare_on_all_isas(
            {rows, capacity, dim, kTaus[turn / 2 % std::size(kTaus)], decay.t, decay.on, decay.unit});
        ++turn;
      }
    }
  }
  compare_on_all_isas({256, 4096 + 3, 128, 0.07, 0.99999, DecayOn::kLogit, AgeUnit::kEnqueue});
  compare_on_all_isas({33, 4096 + 3, 512, 0.02, 0.99999, DecayOn::kWeight, AgeUnit::kKey});
  compare_on_all_isas({300, 600, 260, 0.1, 0.9, DecayOn::kLogit, AgeUnit::kEnqueue});
  compare_on_all_isas({1030, 130, 40, 0.1, 0.9, DecayOn::kLogit, AgeUnit::kEnqueue});
}

void test_decays() {
  for (const Decay& decay : kDecays) {
    for (double tau : kTaus) {
      compare_on_all_isas({33, 200, 19, tau, decay.t, decay.on, decay.unit});
      compare_on_all_isas({5, 1200, 64, tau, decay.t, decay.on, decay.unit});
    }
  }
}

// Powers of it leave even double's range.
void test_tiny_decay() {
  for (double decay : {0.3, 1e-5, 1e-310}) {
    for (DecayOn on : {DecayOn::kLogit, DecayOn::kWeight}) {
      for (AgeUnit unit : {AgeUnit::kEnqueue, AgeUnit::kKey})
        compare_on_all_isas({9, 150, 20, 0.07, decay, on, unit});
    }
  }
}

void test_values() {
  for (Data data : {Data::kClustered, Data::kDuplicates, Data::kZeroRows, Data::kHugeRows, Data::kTinyRows,
                    Data::kOpposite, Data::kConfident}) {
    for (double tau : {0.02, 0.07, 1.0}) {
      for (const Decay& decay : {kDecays[0], kDecays[1], kDecays[4], kDecays[6]}) {
        for (int64_t dim : {1, 3, 16, 65, 128}) {
          compare_on_all_isas({10, 70, dim, tau, decay.t, decay.on, decay.unit, data});
          compare_on_all_isas({67, 260, dim, tau, decay.t, decay.on, decay.unit, data});
        }
      }
    }
  }
  for (double tau : {0.002, 0.012, 0.0232, 0.0233, 0.0234}) {
    compare_on_all_isas({20, 700, 16, tau, 0.99999, DecayOn::kLogit, AgeUnit::kKey});
    compare_on_all_isas({20, 700, 3, tau, 0.9, DecayOn::kWeight, AgeUnit::kKey, Data::kOpposite});
  }
}

// Keys of the query's own video left out: of every video, of a few, of more than there are keys.
void test_own_keys() {
  for (int64_t videos : {1, 3, 17, 1000}) {
    for (const Decay& decay : kDecays) {
      for (Data data : {Data::kNormal, Data::kConfident, Data::kDuplicates}) {
        for (double tau : {0.02, 0.5}) {
          QueueCase c{67, 300, 33, tau, decay.t, decay.on, decay.unit, data};
          c.videos = videos;
          compare_on_all_isas(c);
        }
      }
    }
  }
  // More rows than a group of panels, and a queue of several splits.
  QueueCase large{1030, 4099, 16, 0.07, 0.999, DecayOn::kLogit, AgeUnit::kEnqueue};
  large.videos = 200;
  compare_on_all_isas(large);
  // One key that says all, and is left out: what remains is exact.
  MomentumQueueOptions options;
  options.capacity = 3;
  options.dim = 2;
  options.init = QueueInit::kEmpty;
  options.ids = true;
  MomentumQueue queue(options);
  const std::vector<float> keys{1, 0, 0, 1, -1, 0}, q{1, 0}, p{0, 1};
  const std::vector<int64_t> numbers{5, 6, 5}, own{5};
  queue.enqueue(keys.data(), 3, numbers.data());
  InfoNceOptions loss;
  loss.temperature = 0.01;
  loss.ids = own.data();
  std::vector<float> gradient(2, NAN);
  // s+ = 0 and the one key left has similarity 0: log(1 + 1)
  check(std::fabs(queue.info_nce(gradient.data(), q.data(), p.data(), 1, loss) - std::log(2.0)) < 1e-6,
        "own keys that dominate are left out without a trace");
  MomentumQueue again(options);
  const std::vector<int64_t> kept = ids_of(queue);
  again.restore(keys_of(queue).data(), ages_of(queue).data(), 3, 0, kept.data());
  check(ids_of(again) == kept && again.info_nce(nullptr, q.data(), p.data(), 1, loss) ==
                                     queue.info_nce(nullptr, q.data(), p.data(), 1, loss),
        "numbers are restored");
  MomentumQueueOptions plain = options;
  plain.ids = false;
  MomentumQueue without(plain);
  without.enqueue(keys.data(), 3);
  check(without.bytes() < queue.bytes(), "numbers take memory only where they are");
}

void test_not_normalised() {
  for (int64_t rows : {1, 33, 70}) {
    for (int64_t dim : {1, 3, 64, 129}) {
      for (double tau : {0.05, 1.0, 40.0}) {
        for (const Decay& decay : {kDecays[0], kDecays[3], kDecays[4]}) {
          compare_on_all_isas({rows, 300, dim, tau, decay.t, decay.on, decay.unit, Data::kNormal, false});
        }
      }
      compare_on_all_isas({rows, 65, dim, 0.1, 1, DecayOn::kLogit, AgeUnit::kKey, Data::kZeroRows, false});
    }
  }
}

void test_empty() {
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (int64_t rows : {1, 40}) {
      QueueCase c{rows, 70, 17};
      MomentumQueueOptions options = c.queue_options();
      options.init = QueueInit::kEmpty;
      const MomentumQueue queue(options);
      const std::vector<float> q = make(Data::kNormal, rows, 17), p = make(Data::kNormal, rows, 17, 2);
      std::vector<float> gradient(q.size(), 1.0f);
      check(queue.info_nce(gradient.data(), q.data(), p.data(), rows, c.options()) == 0 &&
                std::all_of(gradient.begin(), gradient.end(), [](float g) { return g == 0; }),
            c.name() + ": an empty queue gives no 0");
    }
    // Of one dim there is nothing to turn.
    const QueueCase c{33, 70, 1, 0.05};
    std::vector<float> gradient;
    call(gradient, c, QueueInput(c), 1);
    check(std::all_of(gradient.begin(), gradient.end(), [](float g) { return g == 0; }),
          c.name() + ": gradient not 0");
  }
}

void test_filling() {
  QueueCase c{9, 200, 20, 0.07, 0.9, DecayOn::kLogit, AgeUnit::kKey};
  for (int64_t length : {1, 63, 64, 65, 199, 200}) {
    QueueInput in(c);
    MomentumQueueOptions options = c.queue_options();
    options.init = QueueInit::kEmpty;
    MomentumQueue filling(options);
    const std::vector<float> keys = make(Data::kNormal, length, c.dim, 5);
    filling.enqueue(keys.data(), length);
    check(filling.length() == length, "length while filling");
    std::vector<float> k = keys_of(filling), ages = ages_of(filling);
    in.queue.restore(k.data(), ages.data(), length, length % c.capacity);
    const QueueExpected expected = expect(c, in);
    std::vector<float> gradient;
    check(std::fabs(call(gradient, c, in, 1) - expected.loss) <= expected.loss_tolerance,
          c.name() + ": loss over " + std::to_string(length) + " keys");
  }
}

void test_not_finite() {
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity()};
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (bool normalize : {true, false}) {
      for (float value : bad) {
        for (int64_t rows : {1, 40, 130}) {
          QueueCase c{rows, 70, 17};
          c.normalize = normalize;
          QueueInput in(c);
          std::vector<float> gradient;
          const auto all_nan = [&] {
            return std::isnan(call(gradient, c, in, 2)) &&
                   std::all_of(gradient.begin(), gradient.end(), [](float g) { return std::isnan(g); });
          };
          check(!all_nan(), c.name() + ": NaN from finite values");
          std::swap(in.queries.back(), const_cast<float&>(value));
          check(all_nan(), c.name() + ": a query that is not finite");
          std::swap(in.queries.back(), const_cast<float&>(value));
          in.keys[0] = value;
          check(all_nan(), c.name() + ": a key that is not finite");
          in.keys[0] = 0;
          std::vector<float> key(c.dim, 1.0f);
          key[3] = value;
          in.queue.enqueue(key.data(), 1);
          check(all_nan(), c.name() + ": a queued key that is not finite");
          key[3] = 1;
          for (int64_t i = 1; i < c.capacity; ++i) in.queue.enqueue(key.data(), 1);
          check(all_nan(), c.name() + ": a queued key that is not finite, oldest");
          in.queue.enqueue(key.data(), 1);
          check(!all_nan(), c.name() + ": NaN stays when its key has left");
        }
      }
    }
    QueueCase c{40, 70, 16, 0.1, 1, DecayOn::kLogit, AgeUnit::kKey, Data::kHugeRows, false};
    std::vector<float> gradient;
    check(std::isnan(call(gradient, c, QueueInput(c), 2)), c.name() + ": overflow is not NaN");
  }
}

void test_equal_bits() {
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (QueueCase c :
         {QueueCase{70, 1000, 65, 0.07, 0.99999}, QueueCase{256, 4096 + 3, 128},
          QueueCase{300, 2000, 40, 0.02, 0.9, DecayOn::kWeight, AgeUnit::kKey},
          QueueCase{33, 3000, 129, 0.01, 0.9, DecayOn::kLogit, AgeUnit::kKey, Data::kOpposite}}) {
      for (Precision precision : {Precision::kFp32, Precision::kBf16}) {
        c.precision = precision;
        const QueueInput in(c);
        std::vector<float> first, other;
        const double loss = call(first, c, in, 1);
        for (int threads = 2; threads <= 8; ++threads) {
          check(call(other, c, in, threads) == loss && same_bits(first, other),
                c.name() + ": other bits with " + std::to_string(threads) + " threads");
        }
        check(in.queue.info_nce(nullptr, in.queries.data(), in.keys.data(), c.rows, c.options(0)) == loss,
              c.name() + ": another loss without gradient");
        other = in.queries;
        in.queue.info_nce(other.data(), other.data(), in.keys.data(), c.rows, c.options(0));
        check(same_bits(first, other), c.name() + ": other bits in place");
      }
    }
  }
}

// Central differences of the twin in double precision, so that the twin itself is not taken on trust.
void test_finite_differences() {
  const double step = 1e-5;
  for (const Decay& decay : kDecays) {
    for (bool normalize : {true, false}) {
      QueueCase c{4, 30, 5, 0.2, decay.t, decay.on, decay.unit, Data::kNormal, normalize};
      const QueueInput in(c);
      const QueueExpected expected = expect(c, in);
      const std::vector<double> p = wide(in.keys), k = wide(keys_of(in.queue)),
                                ages = wide(ages_of(in.queue));
      std::vector<double> q = wide(in.queries);
      const auto loss_at = [&](int64_t i, double value) {
        q[i] = value;
        return info_nce_reference(nullptr, q.data(), p.data(), c.rows, c.dim, k.data(), ages.data(),
                                  c.capacity, c.queue_options(), c.options());
      };
      for (int64_t i = 0; i < c.rows * c.dim; ++i) {
        const double value = q[i];
        const double slope = (loss_at(i, value + step) - loss_at(i, value - step)) / (2 * step);
        q[i] = value;
        check(std::fabs(slope - expected.gradient[i]) <= 1e-6 * (1 + norm_of(expected.gradient)),
              c.name() + ": finite difference of entry " + std::to_string(i));
      }
    }
  }
}

template <typename Work>
void check_throws(const std::string& what, Work&& work) {
  try {
    work();
    check(false, what + ": nothing thrown");
  } catch (const Error& error) {
    check(error.code == kInvalidArgument, what + ": code " + error.code);
  }
}

void test_arguments() {
  const MomentumQueue queue(QueueCase{4, 6, 3}.queue_options());
  const std::vector<float> x(12, 1.0f);
  const auto with = [&](int64_t rows, double tau, int threads) {
    return [&queue, &x, rows, tau, threads] {
      InfoNceOptions options;
      options.temperature = tau;
      options.threads = threads;
      queue.info_nce(nullptr, x.data(), x.data(), rows, options);
    };
  };
  for (int64_t rows : {int64_t{-2}, int64_t{0}, int64_t{1} << 60}) check_throws("rows", with(rows, 0.1, 1));
  for (double tau : {0.0, -0.1, std::nan(""), double{INFINITY}}) check_throws("tau", with(4, tau, 1));
  check_throws("threads", with(4, 0.1, -1));
  check_throws("null queries", [&] { queue.info_nce(nullptr, nullptr, x.data(), 4, InfoNceOptions()); });
  check_throws("null keys", [&] { queue.info_nce(nullptr, x.data(), nullptr, 4, InfoNceOptions()); });
}

}  // namespace
}  // namespace vssl

int main() {
  using namespace vssl;
  test_arguments();
  test_finite_differences();
  test_empty();
  test_filling();
  test_not_finite();
  test_grid();
  test_decays();
  test_tiny_decay();
  test_values();
  test_own_keys();
  test_not_normalised();
  test_equal_bits();
  std::printf("worst: loss %.3f, gradient %.3f tolerances\n", worst_loss, worst_gradient);
  return vssl::finish();
}
