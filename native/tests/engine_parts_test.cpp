// A network over parts of a batch, one a thread, gives what it gives of the whole.
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "../engine/backbones/video_net.h"
#include "../engine/collectives/thread_ranks.h"
#include "../engine/layers/new_calls.h"
#include "../engine/parts.h"
#include "../engine/runtime.h"
#include "engine_testing.h"

namespace vssl::engine::testing {
namespace {

// A value at ReLU's edge may fall on either side of it by the rounding of a sum, and takes its gradient
// along.
constexpr double kGradient = 2e-2;

struct Result {
  Tensor rows, clips_gradient;
  std::vector<Tensor> gradients, buffers;
};

Tensor make_clips(int64_t n, at::ScalarType type) {
  const CounterRandom random(3, "clips");
  Tensor clips = at::empty({n, 8, 32, 32, 3}, at::kFloat);
  float* out = clips.mutable_data_ptr<float>();
  for (int64_t i = 0; i < clips.numel(); ++i) out[i] = static_cast<float>(random.uniform(i));
  return clips.to(type).permute({0, 4, 1, 2, 3});
}

// One pass and its gradients on `threads` threads.
Result run(const std::string& arch, int64_t n, int64_t threads, Pass pass, bool twice = false) {
  at::set_num_threads(static_cast<int>(threads));
  const auto net = create_model(Value(Object{{"arch", arch}, {"width", 0.25}}), 5, {at::kCPU, true});
  Result out;
  Tensor clips = make_clips(n, pass.compute).detach().requires_grad_();
  out.rows = net->embed(clips, pass);
  const Tensor weights = at::linspace(-1, 1, out.rows.numel()).view_as(out.rows);
  std::vector<Tensor> wanted{clips};
  for (const auto& entry : net->weights().entries()) {
    if (entry.trainable) wanted.push_back(entry.tensor);
  }
  const Tensor loss = (out.rows * weights).sum();
  if (twice) torch::autograd::grad({loss}, {wanted[1]}, {}, true);
  const auto gradients = torch::autograd::grad({loss}, wanted);
  out.clips_gradient = gradients[0];
  out.gradients.assign(gradients.begin() + 1, gradients.end());
  for (const auto& entry : net->weights().entries())
    if (!entry.trainable) out.buffers.push_back(entry.tensor.clone());
  return out;
}

double apart(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return ((x - y).norm() / (y.norm() + 1e-9)).item<double>();
}

void check_same(const Result& parts, const Result& whole, double most, const std::string& name) {
  check_at_most(apart(parts.rows, whole.rows), most, name + ": rows");
  check_at_most(apart(parts.clips_gradient, whole.clips_gradient), kGradient,
                name + ": gradient of the clips");
  double worst = 0;
  for (size_t i = 0; i < whole.gradients.size(); ++i)
    worst = worse(worst, apart(parts.gradients[i], whole.gradients[i]));
  check_at_most(worst, kGradient, name + ": gradients of the weights");
  worst = 0;
  for (size_t i = 0; i < whole.buffers.size(); ++i)
    worst = worse(worst, apart(parts.buffers[i], whole.buffers[i]));
  check_at_most(worst, most, name + ": running statistics");
}

void test_same() {
  Pass pass;
  pass.train = pass.update_stats = true;
  for (const char* arch : {"r3d_10", "r2plus1d_18", "c3d"}) {
    const Result whole = run(arch, 8, 1, pass);
    for (const int64_t threads : {2, 3, 4}) {
      const std::string name = std::string(arch) + " in " + std::to_string(threads);
      const Result parts = run(arch, 8, threads, pass);
      check_same(parts, whole, 2e-4, name);
      const Result again = run(arch, 8, threads, pass);
      check(at::equal(again.rows, parts.rows) && at::equal(again.gradients[0], parts.gradients[0]),
            name + ": the same bits again");
    }
  }
  Pass kept = pass;
  kept.train = kept.update_stats = false;
  check_same(run("r3d_10", 6, 2, kept), run("r3d_10", 6, 1, kept), 2e-4, "inference with gradients");
  check_same(run("r3d_10", 8, 2, pass, true), run("r3d_10", 8, 2, pass), 1e-12, "a graph that is kept");
  at::set_num_threads(1);
}

void test_without_gradients() {
  const at::NoGradGuard no_grad;
  const auto net = create_model(Value(Object{{"arch", "r3d_10"}, {"width", 0.25}}), 5, {at::kCPU, true});
  for (const bool train : {false, true}) {
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      Pass pass;
      pass.train = train;
      pass.compute = type;
      const Tensor clips = make_clips(9, type);
      at::set_num_threads(1);
      const Tensor whole = net->embed(clips, pass);
      for (const int threads : {2, 3}) {
        at::set_num_threads(threads);
        check_at_most(apart(net->embed(clips, pass), whole), type == at::kFloat ? 2e-4 : 2e-2,
                      "rows without gradients");
      }
    }
  }
  at::set_num_threads(1);
}

// A part that fails takes the others with it, and its own error is thrown.
void test_failure() {
  at::set_num_threads(3);
  const Weights weights({at::kCPU, true});
  const Tensor clips = make_clips(6, at::kFloat);
  for (const bool gradients : {false, true}) {
    const at::AutoGradMode mode(gradients);
    check_throws("ERR_VSSL_TEST", "not the first part", [&] {
      in_parts(clips, {}, weights, [](const Tensor& part, const Pass& pass) {
        if (!pass.ranks->leads()) throw Error("ERR_VSSL_TEST", "not the first part");
        Tensor one = at::ones({1});
        pass.ranks->all_reduce(one);
        return part;
      });
    });
  }
  at::set_num_threads(1);
}

// body(rank, what it exchanges by) on as many threads; whoever throws says so, and tells its code.
std::vector<std::string> on_threads(int size, Sharers* others,
                                    const std::function<void(int, Sharers&)>& body) {
  ThreadRanks ranks(size, others);
  std::vector<std::thread> team;
  std::vector<std::string> codes(static_cast<size_t>(size));
  for (int r = 0; r < size; ++r)
    team.emplace_back([&, r] {
      try {
        body(r, ranks.rank(r));
      } catch (const Error& error) {
        codes[static_cast<size_t>(r)] = error.code;
        ranks.fail();
      }
    });
  for (std::thread& thread : team) thread.join();
  return codes;
}

Tensor sum_of_rows(const Tensor& rows) { return rows.sum(0, true); }

// Rows in their order: [a, b, c] is 100 a + 10 b + c.
Tensor as_digits(const Tensor& rows) {
  Tensor number = at::zeros({1, 1}, at::kDouble);
  for (int64_t i = 0; i < rows.size(0); ++i) number = number * 10 + rows.slice(0, i, i + 1);
  return number;
}

// Stands for a second process, whose sums are 1000 and whose rows are 9.
class Others final : public Sharers {
 public:
  explicit Others(int lost_at = -1) : lost_at_(lost_at) {}
  void all_reduce(Tensor& values) override {
    count();
    values.add_(1000);
  }
  Tensor all_merge(const Tensor& row, const Merge& merge) override {
    count();
    return merge(at::cat({row, at::full_like(row, 9)}));
  }
  int calls() const { return calls_; }

 private:
  void count() {
    if (calls_++ == lost_at_) throw Error("ERR_VSSL_RANKS", "the second process is gone");
  }
  const int lost_at_;
  int calls_ = 0;
};

void test_ranks() {
  constexpr int kRanks = 3, kTurns = 200;
  for (const bool alone : {true, false}) {
    Others others;
    std::vector<int> faults(kRanks, 0);
    on_threads(kRanks, alone ? nullptr : &others, [&](int r, Sharers& own) {
      for (int turn = 0; turn < kTurns; ++turn) {
        Tensor sum = at::full({2}, r + turn, at::kDouble);
        own.all_reduce(sum);
        faults[r] += sum[1].item<double>() != 3 * turn + 3 + (alone ? 0 : 1000);
        const Tensor digits = own.all_merge(at::full({1, 1}, r + 1, at::kDouble), as_digits);
        faults[r] += digits.item<double>() != (alone ? 123 : 1239);
        const Tensor rows = own.all_merge(at::full({1, 2}, turn, at::kDouble), sum_of_rows);
        faults[r] += rows[0][1].item<double>() != 3 * turn + (alone ? 0 : 9);
      }
    });
    for (const int found : faults) check(found == 0, "what ranks exchange");
    check(others.calls() == (alone ? 0 : 3 * kTurns), "one exchange with the others for all threads");
  }
}

// A thread that cannot come, and processes that are lost in the exchange, end all.
void test_lost() {
  const auto exchange = [](Sharers& own) {
    Tensor one = at::ones({1}, at::kDouble);
    own.all_reduce(one);
  };
  Others others;
  auto codes = on_threads(3, &others, [&](int r, Sharers& own) {
    exchange(own);
    if (r == 1) throw Error("ERR_VSSL_TEST", "it cannot come");
    exchange(own);
  });
  check(codes == std::vector<std::string>{"ERR_VSSL_INTERNAL", "ERR_VSSL_TEST", "ERR_VSSL_INTERNAL"},
        "a thread that cannot come");
  check(others.calls() == 1, "nothing is exchanged without it");
  Others lost(1);
  codes = on_threads(3, &lost, [&](int, Sharers& own) {
    exchange(own);
    exchange(own);
  });
  std::sort(codes.begin(), codes.end());
  check(codes == std::vector<std::string>{"ERR_VSSL_INTERNAL", "ERR_VSSL_INTERNAL", "ERR_VSSL_RANKS"},
        "processes that are lost");
}

// New calls are alone; what one part has met is open to all.
void test_new_calls() {
  constexpr int kParts = 3, kTurns = 200;
  at::set_num_threads(kParts);
  std::atomic<int> inside{0}, most{0}, together{0};
  const Tensor clips = at::empty({2, 3});
  at::parallel_for(0, kParts, 1, [&](int64_t part, int64_t) {
    for (int64_t turn = 0; turn < kTurns; ++turn) {
      const NewCall call(NewCall::kForward, {clips}, {{part, turn}});
      most = std::max(most.load(), ++inside);
      std::this_thread::yield();
      --inside;
    }
  });
  check(most == 1, "new calls, one at a time");
  // Each waits inside for the other two, which would never come were the call still new.
  at::parallel_for(0, kParts, 1, [&](int64_t, int64_t) {
    const NewCall call(NewCall::kForward, {clips}, {{0, 0}});
    ++together;
    while (together < kParts) std::this_thread::yield();
  });
  check(together == kParts, "known calls, all at once");
  at::set_num_threads(1);
}

}  // namespace
}  // namespace vssl::engine::testing

int main() {
  using namespace vssl::engine::testing;
  test_ranks();
  test_lost();
  test_new_calls();
  test_same();
  test_without_gradients();
  test_failure();
  return vssl::finish();
}
