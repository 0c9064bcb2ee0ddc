// Tests of the queue as a ring: order, ages, the random start, snapshots, saving and restoring, threads.
// Prints a line per failure; the last line is "N passed, N failed".
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "../common/error.h"
#include "../kernels/queue.h"
#include "kernels_queue_testing.h"

namespace vssl {
namespace {

// One key at a time, in the plainest way.
struct Model {
  MomentumQueueOptions options;
  std::vector<std::vector<double>> keys;
  std::vector<double> ages;
  std::vector<int64_t> ids;
  int64_t next = 0;

  explicit Model(const MomentumQueue& queue) : options(queue.options()) {
    const std::vector<float> now = keys_of(queue);
    for (int64_t i = 0; i < queue.length(); ++i) {
      keys.emplace_back(now.begin() + i * options.dim, now.begin() + (i + 1) * options.dim);
      ages.push_back(0);
      ids.push_back(-1);
    }
  }

  void enqueue(const std::vector<float>& x, int64_t rows, const std::vector<int64_t>& numbers) {
    const bool by_key = options.age_unit == AgeUnit::kKey;
    if (!by_key) {
      for (double& age : ages) age += 1;
    }
    for (int64_t r = 0; r < rows; ++r) {
      std::vector<double> key(x.begin() + r * options.dim, x.begin() + (r + 1) * options.dim);
      const double norm = std::max(norm_of(key), 1e-12);
      for (double& value : key) value /= norm;
      if (by_key) {
        for (double& age : ages) age += 1;
      }
      if (static_cast<int64_t>(keys.size()) < options.capacity) {
        keys.push_back(key);
        ages.push_back(1);
        ids.push_back(numbers[r]);
      } else {
        keys[next] = key;
        ages[next] = 1;
        ids[next] = numbers[r];
      }
      next = (next + 1) % options.capacity;
    }
  }

  bool agrees_with(const MomentumQueue& queue) const {
    const std::vector<float> now = keys_of(queue), old = ages_of(queue);
    if (queue.length() != static_cast<int64_t>(keys.size()) || queue.snapshot().next != next) return false;
    if (ids_of(queue) != ids) return false;
    for (size_t i = 0; i < keys.size(); ++i) {
      if (old[i] != ages[i]) return false;
      for (int64_t d = 0; d < options.dim; ++d) {
        if (!(std::fabs(now[i * options.dim + d] - keys[i][d]) <= 6e-8)) return false;
      }
    }
    return true;
  }
};

MomentumQueueOptions options_of(int64_t capacity, int64_t dim, AgeUnit unit, QueueInit init) {
  MomentumQueueOptions options;
  options.capacity = capacity;
  options.dim = dim;
  options.age_unit = unit;
  options.init = init;
  return options;
}

void test_order() {
  for (AgeUnit unit : {AgeUnit::kEnqueue, AgeUnit::kKey}) {
    for (QueueInit init : {QueueInit::kRandom, QueueInit::kEmpty}) {
      for (int64_t capacity : {1, 2, 3, 63, 64, 65, 129, 200}) {
        for (int64_t dim : {1, 31, 32, 33, 70}) {
          MomentumQueueOptions options = options_of(capacity, dim, unit, init);
          options.ids = true;
          MomentumQueue queue(options);
          Model model(queue);
          unsigned step = 0;
          // The last ones are more than fit, once and several times over.
          for (int64_t rows : {1, 2, 63, 64, 65, 100, 130, 1, 201, 1000, 7}) {
            const std::vector<float> x = make(Data::kNormal, rows, dim, ++step);
            std::vector<int64_t> numbers(rows);
            for (int64_t r = 0; r < rows; ++r) numbers[r] = r % 5 == 4 ? -1 : 1000 * step + r;
            queue.enqueue(x.data(), rows, numbers.data());
            model.enqueue(x, rows, numbers);
            check(model.agrees_with(queue), "capacity " + std::to_string(capacity) + " dim " +
                                                std::to_string(dim) + ": other keys after " +
                                                std::to_string(rows) + " more");
          }
        }
      }
    }
  }
}

void test_hostile_keys() {
  MomentumQueue queue(options_of(10, 5, AgeUnit::kKey, QueueInit::kEmpty));
  const std::vector<float> x = {0,        0,      0, 0, 0,  //
                                1e30f,    -1e30f, 0, 0, 0,  //
                                1e-30f,   0,      0, 0, 0,  //
                                1e-13f,   0,      0, 0, 0,  //
                                INFINITY, 1,      2, 3, 4,  //
                                1,        NAN,    2, 3, 4};
  queue.enqueue(x.data(), 6);
  const std::vector<float> keys = keys_of(queue);
  check(std::all_of(keys.begin(), keys.begin() + 5, [](float v) { return v == 0; }), "a zero row stays zero");
  const float half = static_cast<float>(std::sqrt(0.5));
  check(std::fabs(keys[5] - half) < 1e-7 && std::fabs(keys[6] + half) < 1e-7, "a huge row");
  check(std::fabs(keys[10] - 1e-18) < 1e-24 && std::fabs(keys[15] - 0.1) < 1e-7, "rows shorter than eps");
  check(std::all_of(keys.begin() + 20, keys.end(), [](float v) { return std::isnan(v); }),
        "rows that are not finite become NaN throughout");
  check(queue.snapshot().broken == 2, "two keys are not finite");
}

// Expected bits are from the formula, in another language.
void test_random_start() {
  const auto bits = [](uint64_t seed, int64_t slot, int64_t dim) {
    MomentumQueueOptions options = options_of(70, dim, AgeUnit::kEnqueue, QueueInit::kRandom);
    options.seed = seed;
    const std::vector<float> keys = keys_of(MomentumQueue(options));
    std::vector<uint32_t> found(dim);
    std::memcpy(found.data(), &keys[slot * dim], dim * sizeof(float));
    return found;
  };
  check(bits(0, 0, 4) == std::vector<uint32_t>{0x3ef5dd66, 0x3e77c5f7, 0x3eef7b24, 0x3f339465}, "seed 0");
  check(bits(7, 69, 4) == std::vector<uint32_t>{0xbf4775c2, 0xbd42398c, 0x3e97981c, 0x3f0cec2a}, "seed 7");
  check(bits((uint64_t{1} << 53) - 1, 3, 2) == std::vector<uint32_t>{0xbf6aec8e, 0xbecb6ff8}, "largest seed");
  for (int64_t dim : {1, 2, 128}) {
    const int64_t capacity = 3000;
    const MomentumQueue queue(options_of(capacity, dim, AgeUnit::kEnqueue, QueueInit::kRandom));
    const std::vector<float> keys = keys_of(queue);
    double mean = 0, square = 0, worst = 0;
    for (int64_t i = 0; i < capacity; ++i) {
      const std::vector<double> key(keys.begin() + i * dim, keys.begin() + (i + 1) * dim);
      worst = worse(worst, std::fabs(norm_of(key) - 1));
      mean += key[0] / static_cast<double>(capacity);
      square += key[0] * key[0] * static_cast<double>(dim) / static_cast<double>(capacity);
    }
    check(worst < 1e-6 && std::fabs(mean) < 0.06 && std::fabs(square - 1) < 0.15,
          "random start of dim " + std::to_string(dim));
    const std::vector<float> ages = ages_of(queue);
    check(std::all_of(ages.begin(), ages.end(), [](float age) { return age == 0; }),
          "random keys have age 0");
  }
}

void test_snapshots() {
  for (Precision precision : {Precision::kFp32, Precision::kBf16}) {
    QueueCase c{20, 150, 40, 0.07, 0.9, DecayOn::kLogit, AgeUnit::kEnqueue};
    c.precision = precision;
    QueueInput in(c);
    const QueueSnapshot before = in.queue.snapshot();
    const auto loss_of = [&](const QueueSnapshot& queue) {
      return info_nce(nullptr, in.queries.data(), in.keys.data(), c.rows, queue, c.options());
    };
    const double loss = loss_of(before);
    const std::vector<float> more = make(Data::kNormal, 70, c.dim, 99);
    in.queue.enqueue(more.data(), 70);
    check(loss_of(before) == loss, c.name() + ": an enqueue changed a snapshot");
    const double later = loss_of(in.queue.snapshot());
    check(later != loss, c.name() + ": an enqueue changed nothing");
    MomentumQueue same(c.queue_options());
    use(same, c);
    same.enqueue(more.data(), 70);
    check(loss_of(same.snapshot()) == later, c.name() + ": history without a snapshot gives other bits");
  }
}

void test_restore() {
  for (AgeUnit unit : {AgeUnit::kEnqueue, AgeUnit::kKey}) {
    for (QueueInit init : {QueueInit::kRandom, QueueInit::kEmpty}) {
      for (int64_t rows : {5, 130, 200, 333}) {
        QueueCase c{20, 200, 40, 0.07, 0.9, DecayOn::kWeight, unit};
        MomentumQueueOptions options = c.queue_options();
        options.init = init;
        MomentumQueue queue(options), other(options);
        const std::vector<float> x = make(Data::kZeroRows, rows, c.dim),
                                 more = make(Data::kNormal, 64, c.dim);
        queue.enqueue(x.data(), rows);
        other.enqueue(more.data(), 64);
        const std::vector<float> keys = keys_of(queue), ages = ages_of(queue);
        other.restore(keys.data(), ages.data(), queue.length(), queue.snapshot().next);
        for (int step = 0; step < 4; ++step) {
          check(same_bits(keys_of(queue), keys_of(other)) && ages_of(queue) == ages_of(other) &&
                    queue.length() == other.length() && queue.snapshot().next == other.snapshot().next,
                "restored after " + std::to_string(rows) + ", step " + std::to_string(step));
          std::vector<float> first(x.size()), second(x.size());
          queue.info_nce(first.data(), x.data(), more.data(), 5, c.options());
          other.info_nce(second.data(), x.data(), more.data(), 5, c.options());
          check(same_bits(first, second), "restored queue gives other bits");
          queue.enqueue(more.data(), 64);
          other.enqueue(more.data(), 64);
        }
      }
    }
  }
  MomentumQueue queue(options_of(3, 2, AgeUnit::kEnqueue, QueueInit::kEmpty));
  const std::vector<float> keys = {1, 0, NAN, 1, 0, 0}, ages = {0, 4, 4};
  queue.restore(keys.data(), ages.data(), 3, 1);
  check(queue.snapshot().broken == 1, "a key that is not finite is restored as one");
}

template <typename Work>
void check_throws(const std::string& what, Work&& work, const std::string& code = kInvalidArgument) {
  try {
    work();
    check(false, what + ": nothing thrown");
  } catch (const Error& error) {
    check(error.code == code, what + ": code " + error.code);
  }
}

void test_arguments() {
  const auto with = [](int64_t capacity, int64_t dim, double decay) {
    return [=] {
      MomentumQueueOptions options = options_of(capacity, dim, AgeUnit::kKey, QueueInit::kEmpty);
      options.decay = decay;
      MomentumQueue queue(options);
    };
  };
  for (int64_t capacity : {int64_t{-1}, int64_t{0}, kMostQueueKeys + 1})
    check_throws("capacity", with(capacity, 4, 1));
  for (int64_t dim : {int64_t{-1}, int64_t{0}}) check_throws("dim", with(4, dim, 1));
  check_throws("a dim beyond memory", with(4, int64_t{1} << 60, 1), "ERR_VSSL_OUT_OF_MEMORY");
  for (double decay : {0.0, -0.5, 1.01, double{INFINITY}, std::nan("")})
    check_throws("decay", with(4, 4, decay));
  MomentumQueue queue(options_of(3, 2, AgeUnit::kEnqueue, QueueInit::kRandom));
  const std::vector<float> before = keys_of(queue), x(8, 0.5f);
  for (int64_t rows : {-1, 0}) check_throws("rows", [&] { queue.enqueue(x.data(), rows); });
  check_throws("null keys", [&] { queue.enqueue(nullptr, 1); });
  const auto restore = [&](std::vector<float> keys, std::vector<float> ages, int64_t length, int64_t next) {
    check_throws("restore", [&] { queue.restore(keys.data(), ages.data(), length, next); });
  };
  const std::vector<float> keys = {1, 0, 0, 1, 0, 0}, ages = {1, 1, 0};
  restore(keys, ages, 4, 0);
  restore(keys, ages, -1, 0);
  restore(keys, ages, 3, 3);
  restore(keys, ages, 3, -1);
  restore(keys, ages, 2, 1);
  restore(keys, {1, 2, 0}, 3, 0);
  restore(keys, {2, 1, 0}, 3, 2);
  restore(keys, {1, 0.5f, 0}, 3, 0);
  restore(keys, {1, 1, -1}, 3, 0);
  restore(keys, {NAN, 1, 1}, 3, 0);
  restore(keys, {1e9f, 1, 1}, 3, 0);
  restore({1, 0, 0, 1, 0, 1.1f}, ages, 3, 0);
  check_throws("restore null", [&] { queue.restore(nullptr, nullptr, 3, 0); });
  check(same_bits(before, keys_of(queue)), "a refused call changed the queue");
}

void test_bytes() {
  MomentumQueue queue(options_of(1000, 128, AgeUnit::kEnqueue, QueueInit::kEmpty));
  const std::vector<float> x = make(Data::kNormal, 100, 128);
  check(queue.bytes() == 0, "an empty queue holds memory");
  queue.enqueue(x.data(), 100);
  const int64_t two_panels = queue.bytes();
  check(two_panels >= 2 * 64 * 128 * 4 && two_panels < 2 * 64 * 128 * 4 + 2000, "memory of two panels");
  InfoNceOptions options;
  options.precision = Precision::kBf16;
  queue.info_nce(nullptr, x.data(), x.data(), 3, options);
  check(queue.bytes() == two_panels || queue.bytes() == two_panels + 64 * 128 * 4, "memory of the bf16 copy");
}

// One thread enqueues while others compute: every result must be that of one of the states in between.
void test_concurrent_callers() {
  QueueCase c{8, 300, 24};
  for (Precision precision : {Precision::kFp32, Precision::kBf16}) {
    c.precision = precision;
    const std::vector<float> q = make(Data::kNormal, c.rows, c.dim),
                             p = make(Data::kNormal, c.rows, c.dim, 2);
    const int kSteps = 40;
    const auto enqueue = [&](MomentumQueue& queue, int step) {
      queue.enqueue(make(Data::kNormal, 50, c.dim, static_cast<unsigned>(step)).data(), 50);
    };
    const auto loss_of = [&](const MomentumQueue& queue, int threads) {
      return queue.info_nce(nullptr, q.data(), p.data(), c.rows, c.options(threads));
    };
    MomentumQueue alone(c.queue_options()), shared(c.queue_options());
    std::vector<double> expected = {loss_of(alone, 1)};
    for (int step = 0; step < kSteps; ++step) {
      enqueue(alone, step);
      expected.push_back(loss_of(alone, 1));
    }
    std::atomic<int> wrong{0};
    std::atomic<bool> done{false};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 3; ++caller) {
      callers.emplace_back([&, caller] {
        size_t last = 0;
        while (!done) {
          const double loss = loss_of(shared, 1 + caller % 2);
          while (last < expected.size() && expected[last] != loss) ++last;  // states only go forward
          if (last == expected.size()) {
            ++wrong;
            return;
          }
        }
      });
    }
    for (int step = 0; step < kSteps; ++step) {
      enqueue(shared, step);
      std::this_thread::yield();
    }
    done = true;
    for (std::thread& caller : callers) caller.join();
    check(wrong == 0, c.name() + ": a result of no state");
    check(loss_of(shared, 1) == expected.back(), c.name() + ": another last state");
  }
}

}  // namespace
}  // namespace vssl

int main() {
  using namespace vssl;
  test_arguments();
  test_order();
  test_hostile_keys();
  test_random_start();
  test_snapshots();
  test_restore();
  test_bytes();
  test_concurrent_callers();
  return vssl::finish();
}
