#include "parts.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/graph_task.h>
#include <torch/custom_class.h>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include <atomic>
#include <exception>

#include "collectives/thread_ranks.h"
#include "layers/first_order.h"
#include "layers/new_calls.h"

namespace vssl::engine {

namespace {

using Network = std::function<Tensor(const Tensor&, const Pass&)>;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Of this part alone: oneDNN plans its work for the threads that it is told of, and waits for them all.
void use_one_thread() {
#if defined(_OPENMP)
  // A thread's first call sets its number to that of all; libtorch and what inlines its headers each have a
  // first.
  at::get_num_threads();
  at::internal::lazy_init_num_threads();
  omp_set_num_threads(1);
#endif
}

constexpr double kMostUneven = 1.25;  // the largest part against an even share

// Whether libtorch's threads are really there, all at once: a part that waits for one that has no thread
// would wait for ever. Asked once for each number of threads.
bool has_threads(int64_t threads) {
  static std::atomic<int64_t> seen{0};
  if (seen.load() == threads) return true;
  std::atomic<int64_t> parts{0};
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) { parts += end - begin == 1 ? 1 : 0; });
  if (parts == threads) seen = threads;
  return parts == threads;
}

int64_t part_count(const Tensor& clips, const Pass& pass, const Placement& placement) {
  const int64_t threads = at::get_num_threads(), n = clips.size(0);
  if (threads < 2 || n < threads || at::in_parallel_region() || !keeps_prepared_calls()) return 1;
  if (!clips.is_cpu() || !placement.channels_last || pass.record) return 1;
  const int64_t largest = (n + threads - 1) / threads;
  if (static_cast<double>(largest * threads) > kMostUneven * static_cast<double>(n)) return 1;
  return has_threads(threads) ? threads : 1;
}

// One run of a network in parts; kept with the graph of a run that has gradients.
class Run : public torch::CustomClassHolder {
 public:
  // `others`: with whom the batch is shared beside these parts.
  Run(const Tensor& clips, int64_t parts, Sharers* others) : ranks_(parts, others) {
    for (int64_t i = 0; i < parts; ++i) {
      const Tensor part = clips.slice(0, first(clips, i, parts), first(clips, i + 1, parts)).detach();
      inputs_.push_back(part.requires_grad_(clips.requires_grad()));
    }
    outputs_.resize(inputs_.size());
  }

  Tensor forward(const Pass& pass, const Network& network, bool gradients) {
    each([&](int64_t i) {
      const at::AutoGradMode mode(gradients);
      Pass own = pass;
      own.ranks = &ranks_.rank(i);
      outputs_[i] = network(inputs_[i], own);
    });
    variable_list rows;
    for (const Tensor& output : outputs_) rows.push_back(output.detach());
    return at::cat(rows);
  }

  // Gradients of the clips, when `input`, and of `weights`; of those that do not matter undefined.
  variable_list backward(const Tensor& grad, bool input, const variable_list& weights, bool keep_graph) {
    std::vector<variable_list> found(inputs_.size());
    each([&](int64_t i) {
      variable_list wanted = weights;
      if (input) wanted.insert(wanted.begin(), inputs_[i]);
      const auto parts = static_cast<int64_t>(inputs_.size());
      const Tensor own = grad.slice(0, first(grad, i, parts), first(grad, i + 1, parts));
      found[i] = torch::autograd::grad({outputs_[i]}, wanted, {own}, keep_graph, false, true);
    });
    variable_list sums;
    for (size_t k = 0; k < found[0].size(); ++k) {
      if (k == 0 && input) {
        variable_list rows;
        for (const variable_list& part : found) rows.push_back(part[0]);
        sums.push_back(at::cat(rows));
        continue;
      }
      Tensor sum = found[0][k];
      for (size_t i = 1; i < found.size() && sum.defined(); ++i) sum.add_(found[i][k]);
      sums.push_back(sum);
    }
    return sums;
  }

 private:
  static int64_t first(const Tensor& rows, int64_t part, int64_t parts) {
    return rows.size(0) * part / parts;
  }

  // body(i) for every part at once. When one fails the others are told, and the first error is thrown.
  void each(const std::function<void(int64_t)>& body) {
    const auto parts = static_cast<int64_t>(inputs_.size());
    std::vector<std::exception_ptr> errors(inputs_.size());
    std::atomic<int64_t> first_error{-1};
    at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        try {
          use_one_thread();
          body(i);
        } catch (...) {
          errors[i] = std::current_exception();
          int64_t none = -1;
          first_error.compare_exchange_strong(none, i);
          ranks_.fail();
        }
      }
    });
    if (first_error >= 0) std::rethrow_exception(errors[static_cast<size_t>(first_error.load())]);
  }

  ThreadRanks ranks_;
  variable_list inputs_, outputs_;
};

struct PartsFunction : torch::autograd::Function<PartsFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& clips, at::TensorList weights, const Pass* pass,
                        const Network* network, int64_t parts) {
    const auto run = c10::make_intrusive<Run>(clips, parts, pass->ranks);
    ctx->saved_data["run"] = c10::IValue::make_capsule(run);
    ctx->saved_data["weights"] = weights.vec();
    return run->forward(*pass, *network, true);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    refuse_second_order("a network over parts of the batch");
    const auto run = c10::static_intrusive_pointer_cast<Run>(ctx->saved_data["run"].toCapsule());
    const std::vector<Tensor> weights = ctx->saved_data["weights"].toTensorVector();
    variable_list wanted;
    for (size_t k = 0; k < weights.size(); ++k)
      if (ctx->needs_input_grad(k + 1)) wanted.push_back(weights[k]);
    const bool input = ctx->needs_input_grad(0);
    const variable_list found =
        run->backward(grads[0], input, wanted, torch::autograd::get_current_graph_task_keep_graph());
    variable_list out(weights.size() + 4);
    size_t next = 0;
    if (input) out[0] = found[next++];
    for (size_t k = 0; k < weights.size(); ++k)
      if (ctx->needs_input_grad(k + 1)) out[k + 1] = found[next++];
    return out;
  }
};

}  // namespace

Tensor in_parts(const Tensor& clips, const Pass& pass, const Weights& weights, const Network& network) {
  const int64_t parts = part_count(clips, pass, weights.placement());
  if (parts == 1) return network(clips, pass);
  if (!at::GradMode::is_enabled()) return Run(clips, parts, pass.ranks).forward(pass, network, false);
  variable_list trained;
  for (const auto& entry : weights.entries())
    if (entry.tensor.requires_grad()) trained.push_back(entry.tensor);
  return PartsFunction::apply(clips, at::TensorList(trained), &pass, &network, parts);
}

}  // namespace vssl::engine
