// Tests of native/kernels against the double-precision twins, over hostile sizes and values, on every ISA
// path. Prints a line per failure; the last line is "N passed, N failed".
#include "../kernels/kernels.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

#include "../common/error.h"
#include "../kernels/isa.h"
#include "../kernels/parallel.h"
#include "../kernels/reference.h"
#include "../kernels/tournament.h"
#include "kernels_testing.h"

namespace vssl {
namespace {

void compare(const Case& c, const std::vector<float>& x, const Expected& expected, int threads) {
  std::vector<float> gradient;
  const NtXentResult result = call(gradient, c, x, threads);
  std::vector<double> difference(x.size());
  for (size_t i = 0; i < x.size(); ++i) difference[i] = gradient[i] - expected.gradient[i];
  const Tolerance tolerance =
      tolerance_of(expected.x, c.rows, c.dim, c.options(), expected.result, norm_of(expected.gradient));
  const double off = std::fabs(result.loss - expected.result.loss);
  check(off <= tolerance.loss,
        c.name() + ": loss off by " + std::to_string(off / tolerance.loss) + " tolerances");
  const double gradient_off = norm_of(difference);
  check(gradient_off <= tolerance.gradient,
        c.name() + ": gradient off by " + std::to_string(gradient_off / tolerance.gradient) + " tolerances");
  const double temperature_off = std::fabs(result.grad_temperature - expected.result.grad_temperature);
  check(
      temperature_off <= tolerance.temperature,
      c.name() + ": temperature gradient off by " + std::to_string(temperature_off / tolerance.temperature));
}

void compare_on_all_isas(const Case& c) {
  const std::vector<float> x = make(c.data, c.rows, c.dim);
  const Expected expected = expect(c, x);
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    compare(c, x, expected, 2);
  }
}

void test_grid() {
  for (int64_t rows : {2, 4, 6, 8, 14, 30, 32, 34, 62, 64, 66, 126, 128, 130}) {
    for (int64_t dim : {1, 2, 3, 7, 15, 16, 17, 31, 33, 63, 64, 65, 127, 128, 129}) {
      for (double tau : {0.02, 0.1, 1.0}) compare_on_all_isas({rows, dim, tau});
    }
  }
  for (int64_t rows : {4, 66, 130}) {
    for (double tau : {0.02, 0.05, 0.07, 0.5}) compare_on_all_isas({rows, 512, tau});
  }
}

void test_larger() {
  for (int64_t rows : {510, 512, 514, 1022, 1024, 1026}) {
    compare_on_all_isas({rows, 24, 0.07});
    compare_on_all_isas({rows, 65, 0.5});
  }
  compare_on_all_isas({640, 512, 0.02});
  compare_on_all_isas({2050, 33, 0.1});
  compare_on_all_isas({4096 + 2, 8, 0.1});
  compare_on_all_isas({8192, 7, 0.05});
}

void test_values() {
  for (Data data : {Data::kClustered, Data::kDuplicates, Data::kZeroRows, Data::kHugeRows, Data::kTinyRows,
                    Data::kOpposite, Data::kConfident}) {
    for (double tau : {0.02, 0.05, 0.1, 1.0}) {
      for (int64_t rows : {4, 10, 66, 130}) {
        for (int64_t dim : {1, 3, 16, 65, 128}) compare_on_all_isas({rows, dim, tau, data});
      }
    }
  }
  compare_on_all_isas({514, 500, 0.02, Data::kDuplicates});
  compare_on_all_isas({66, 16, 0.002, Data::kNormal});
  compare_on_all_isas({66, 16, 0.002, Data::kOpposite});
}

void test_not_normalised() {
  for (int64_t rows : {4, 66, 130, 514}) {
    for (int64_t dim : {1, 3, 64, 129}) {
      for (double tau : {0.05, 1.0, 40.0}) compare_on_all_isas({rows, dim, tau, Data::kNormal, false});
      compare_on_all_isas({rows, dim, 0.1, Data::kOpposite, false});
      compare_on_all_isas({rows, dim, 0.1, Data::kZeroRows, false});
    }
  }
}

void test_exact_zeros() {
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (int64_t dim : {1, 5, 128}) {
      const Case c{2, dim, 0.05};
      std::vector<float> gradient;
      check(call(gradient, c, make(c.data, 2, dim), 1).loss == 0, c.name() + ": loss not 0");
      check(std::all_of(gradient.begin(), gradient.end(), [](float g) { return g == 0; }),
            c.name() + ": gradient not 0");
    }
    const Case c{66, 1, 0.05};
    std::vector<float> gradient;
    call(gradient, c, make(c.data, c.rows, 1), 1);
    check(std::all_of(gradient.begin(), gradient.end(), [](float g) { return g == 0; }),
          c.name() + ": gradient not 0");
  }
}

void test_not_finite() {
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity()};
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (int64_t rows : {2, 4, 66, 600}) {
      for (bool normalize : {true, false}) {
        for (float value : bad) {
          const Case c{rows, 17, 0.1, Data::kNormal, normalize};
          std::vector<float> x = make(c.data, rows, c.dim), gradient;
          x[x.size() - 2] = value;
          check(std::isnan(call(gradient, c, x, 2).loss), c.name() + ": loss is not NaN");
          check(std::isnan(gradient[0]), c.name() + ": gradient is not NaN");
          std::swap(x[1], x[x.size() - 2]);
          check(std::isnan(call(gradient, c, x, 2).loss), c.name() + ": loss is not NaN, first row");
        }
      }
    }
    const Case c{66, 16, 0.1, Data::kHugeRows, false};
    std::vector<float> gradient;
    check(std::isnan(call(gradient, c, make(c.data, c.rows, c.dim), 2).loss),
          c.name() + ": overflow is not NaN");
  }
}

void test_equal_bits() {
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (const Case& c : {Case{130, 65}, Case{256, 128}, Case{514, 129, 0.02}, Case{1026, 64, 0.5},
                          Case{1500, 33, 0.02, Data::kOpposite}, Case{1026, 40, 0.1, Data::kNormal, false},
                          Case{2050, 512, 0.1}}) {
      const std::vector<float> x = make(c.data, c.rows, c.dim);
      std::vector<float> first, other;
      const NtXentResult expected = call(first, c, x, 1);
      for (int threads = 2; threads <= 8; ++threads) {
        const NtXentResult result = call(other, c, x, threads);
        check(same_bits(first, other) && result.loss == expected.loss &&
                  result.grad_temperature == expected.grad_temperature,
              c.name() + ": other bits with " + std::to_string(threads) + " threads");
      }
      const NtXentOptions options = c.options(0);
      check(nt_xent(nullptr, x.data(), c.rows, c.dim, options).loss == expected.loss,
            c.name() + ": another loss without gradient");
      other = x;
      nt_xent(other.data(), other.data(), c.rows, c.dim, options);
      check(same_bits(first, other), c.name() + ": other bits in place");
    }
  }
}

// Central differences of the twin in double precision, so that the twin itself is not taken on trust.
void test_finite_differences() {
  const double step = 1e-5;
  for (bool normalize : {true, false}) {
    for (double tau : {0.05, 0.5}) {
      const int64_t rows = 10, dim = 5;
      const std::vector<float> x = make(Data::kNormal, rows, dim, 3);
      Case c{rows, dim, tau, Data::kNormal, normalize};
      Expected expected = expect(c, x);
      NtXentOptions options;
      options.normalize = normalize;
      const auto loss_at = [&](double t) {
        options.temperature = t;
        return nt_xent_reference(nullptr, expected.x.data(), rows, dim, options).loss;
      };
      for (int64_t i = 0; i < rows * dim; ++i) {
        const double value = expected.x[i];
        expected.x[i] = value + step;
        const double above = loss_at(tau);
        expected.x[i] = value - step;
        const double below = loss_at(tau);
        expected.x[i] = value;
        const double slope = (above - below) / (2 * step);
        check(std::fabs(slope - expected.gradient[i]) <= 1e-6 * (1 + norm_of(expected.gradient)),
              c.name() + ": finite difference of entry " + std::to_string(i));
      }
      const double slope = (loss_at(tau + step * tau) - loss_at(tau - step * tau)) / (2 * step * tau);
      check(std::fabs(slope - expected.result.grad_temperature) <= 1e-6 * (1 + std::fabs(slope)),
            c.name() + ": finite difference of the temperature");
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
  const std::vector<float> x(64);
  const auto with = [&](int64_t rows, int64_t dim, double tau, int threads) {
    return [&x, rows, dim, tau, threads] {
      NtXentOptions options;
      options.temperature = tau;
      options.threads = threads;
      nt_xent(nullptr, x.data(), rows, dim, options);
    };
  };
  for (int64_t rows : {-2, 0, 1, 3}) check_throws("rows " + std::to_string(rows), with(rows, 4, 0.1, 1));
  for (int64_t dim : {-1, 0}) check_throws("dim " + std::to_string(dim), with(4, dim, 0.1, 1));
  check_throws("dim overflow", with(int64_t{1} << 40, int64_t{1} << 40, 0.1, 1));
  for (double tau : {0.0, -0.1, std::nan(""), double{INFINITY}}) check_throws("tau", with(4, 4, tau, 1));
  check_throws("threads", with(4, 4, 0.1, -1));
  check_throws("null", [] { nt_xent(nullptr, nullptr, 4, 4, NtXentOptions()); });
}

void test_tournament() {
  for (int64_t groups = 1; groups <= 20; ++groups) {
    std::vector<std::atomic<int64_t>> played(groups);
    for (auto& count : played) count = 0;
    std::vector<std::atomic<int>> meetings(groups * groups), busy(groups);
    for (auto& count : meetings) count = 0;
    for (auto& count : busy) count = 0;
    std::atomic<bool> clash{false};
    Tournament tournament;
    tournament.reset(groups, played.data());
    run_team(4, [&] {
      tournament.run([&](int64_t a, int64_t b) {
        if (busy[a]++ != 0 || (a != b && busy[b]++ != 0)) clash = true;
        ++meetings[a * groups + b];
        --busy[a];
        if (a != b) --busy[b];
      });
    });
    bool once = true;
    for (int64_t a = 0; a < groups; ++a) {
      for (int64_t b = 0; b < groups; ++b) once = once && meetings[a * groups + b] == (a <= b ? 1 : 0);
    }
    check(once && !clash, "tournament of " + std::to_string(groups));
  }
}

#ifdef __linux__
// A helper that slept must not wait for the caller's CPU while another one is idle, and may run anywhere
// afterwards.
void test_placement() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) return;
  constexpr int kCalls = 40;
  int joined = 0, elsewhere = 0, anywhere = 0;
  for (int k = 0; k < kCalls; ++k) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // longer than helpers look for work
    const auto caller = std::this_thread::get_id();
    const int here = sched_getcpu();
    std::atomic<bool> there{false};
    run_team(2, [&] {
      const auto begin = std::chrono::steady_clock::now();
      if (std::this_thread::get_id() == caller) {
        while (!there && std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(50)) {
        }
        return;
      }
      ++joined;
      elsewhere += sched_getcpu() != here;
      cpu_set_t now;
      anywhere += sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &allowed);
      there = true;
    });
  }
  const std::string counts =
      std::to_string(elsewhere) + " and " + std::to_string(anywhere) + " of " + std::to_string(joined);
  check(joined > kCalls / 2, "helpers that slept join: " + std::to_string(joined));
  check(elsewhere >= joined * 3 / 4, "on another CPU than the caller's: " + counts);
  check(anywhere == joined, "and may run anywhere: " + counts);
}
#endif

// Callers on several threads at once share the pool and get the bits they get alone.
void test_concurrent_callers() {
  const Case c{386, 64, 0.1};
  const std::vector<float> x = make(c.data, c.rows, c.dim);
  std::vector<float> alone;
  call(alone, c, x, 1);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (int repeat = 0; repeat < 10; ++repeat) {
        std::vector<float> gradient;
        call(gradient, c, x, 1 + (caller + repeat) % 4);
        if (!same_bits(alone, gradient)) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  check(wrong == 0, "concurrent callers: " + std::to_string(wrong) + " wrong results");
}

// Adds up what threads leave, in their order.
class AddUp {
 public:
  explicit AddUp(int64_t count) : left_(static_cast<size_t>(count)) {}
  template <typename T>
  void run(int64_t index, T* values, int64_t n) {
    left_[static_cast<size_t>(index)].assign(values, values + n);
    meet();
    for (int64_t i = 0; i < n; ++i) {
      T sum = 0;
      for (const auto& one : left_) sum += static_cast<T>(one[static_cast<size_t>(i)]);
      values[i] = sum;
    }
    meet();
  }

 private:
  void meet() {
    std::unique_lock<std::mutex> lock(mutex_);
    const int64_t mine = meetings_;
    if (++here_ == static_cast<int64_t>(left_.size())) {
      here_ = 0;
      ++meetings_;
      all_here_.notify_all();
    }
    all_here_.wait(lock, [&] { return meetings_ > mine; });
  }

  std::vector<std::vector<double>> left_;
  std::mutex mutex_;
  std::condition_variable all_here_;
  int64_t here_ = 0, meetings_ = 0;
};

void test_shared() {
  for (const int64_t count : {2, 3, 5}) {
    for (const int64_t rows : {2, 4, 66, 130, 600, 1100}) {
      for (const double tau : {0.005, 0.1}) {  // with a running maximum, and without
        const Case c{rows, 24, tau};
        const std::vector<float> x = make(c.data, rows, 24);
        const Expected expected = expect(c, x);
        for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
          AddUp together(count);
          std::vector<std::vector<float>> gradients(static_cast<size_t>(count), std::vector<float>(x.size()));
          std::vector<double> losses(static_cast<size_t>(count));
          std::vector<std::thread> callers;
          for (int64_t k = 0; k < count; ++k)
            callers.emplace_back([&, k] {
              const NtXentShare share{k, count, [&, k](double* v, int64_t n) { together.run(k, v, n); },
                                      [&, k](float* v, int64_t n) { together.run(k, v, n); }};
              NtXentOptions options = c.options();
              options.threads = 1 + static_cast<int>(k % 2);
              options.precision = precision;
              options.share = &share;
              const auto place = static_cast<size_t>(k);
              losses[place] = nt_xent(gradients[place].data(), x.data(), rows, 24, options).loss;
            });
          for (std::thread& caller : callers) caller.join();
          const std::string what = std::to_string(count) + " callers, " + c.name();
          bool same = true;
          for (size_t k = 1; k < callers.size(); ++k)
            same = same && losses[k] == losses[0] && gradients[k] == gradients[0];
          check(same, what + ": all have the same bits");
          std::vector<double> difference(x.size());
          for (size_t i = 0; i < x.size(); ++i) difference[i] = gradients[0][i] - expected.gradient[i];
          const Tolerance tolerance =
              tolerance_of(expected.x, rows, 24, c.options(), expected.result, norm_of(expected.gradient));
          // bf16 has tests of its own for how far it may be off; here it must be the same call, not another
          // one
          const double slack = precision == Precision::kBf16 ? 3000 : 1;
          check_at_most(std::fabs(losses[0] - expected.result.loss) / tolerance.loss, slack,
                        what + ": the loss");
          check_at_most(norm_of(difference) / tolerance.gradient, slack, what + ": the gradient");
        }
      }
    }
  }
}

}  // namespace
}  // namespace vssl

int main() {
  using namespace vssl;
  test_arguments();
  test_tournament();
  test_finite_differences();
  test_exact_zeros();
  test_not_finite();
  test_grid();
  test_values();
  test_not_normalised();
  test_larger();
  test_equal_bits();
#ifdef __linux__
  test_placement();
#endif
  test_shared();
  test_concurrent_callers();
  return vssl::finish();
}
