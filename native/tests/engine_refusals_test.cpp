// What the engine refuses, before anything has moved: numbers of a step that are missing or wrong, gradients
// of gradients, sizes beyond memory; and an update that fails half-way.
#include <torch/csrc/autograd/autograd.h>

#include <limits>

#include "../common/memory.h"
#include "../engine/blocks/branch.h"
#include "../engine/blocks/key_queue.h"
#include "../engine/blocks/losses.h"
#include "../engine/layers/layers.h"
#include "../engine/optim.h"
#include "engine_methods.h"

namespace vssl::engine::testing {
namespace {

// A first gradient is had; one that keeps a history is refused.
void check_first_order_only(const std::string& what, const Tensor& y, const Tensor& x) {
  const Tensor sum = y.square().sum();
  const auto gradient = [&](bool create_graph) {
    return torch::autograd::grad({sum}, {x}, {}, /*retain_graph=*/true, create_graph)[0];
  };
  check(code_of([&] { gradient(true); }) == "ERR_VSSL_SECOND_ORDER", what + " refuses create_graph");
  check(gradient(false).defined(), what + " has a first gradient");
}

void test_second_order() {
  const Tensor rows = drawn({8, 6}, 1).requires_grad_();
  check_first_order_only("NT-Xent", nt_xent_loss(rows, 0.5), rows);

  MomentumQueueOptions options;
  options.capacity = 16;
  options.dim = 6;
  const auto queue = create_key_queue(options, at::kCPU);
  check_first_order_only("InfoNCE", queue->info_nce_loss(rows, drawn({8, 6}, 2), 0.5), rows);

  Weights weights{Placement{}};
  const Scope root(weights, 3);
  const Tensor clips =
      drawn({2, 4, 4, 6, 6}, 4).contiguous(at::MemoryFormat::ChannelsLast3d).requires_grad_();
  Pass pass;
  pass.train = true;
  const Conv3d conv(root / "conv", 4, 8, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, true);
  check_first_order_only("the convolution", conv.forward(clips, pass), clips);
  const BatchNorm norm(root / "norm", 4);
  check_first_order_only("the fused BatchNorm", norm.forward(clips, pass), clips);
  check_first_order_only("the fused BatchNorm with ReLU", norm.forward(clips, pass, true, clips), clips);

  const std::string code = code_of([&] {
    const Tensor y = norm.forward(conv.forward(clips, pass).narrow(1, 0, 4), pass, true);
    const Tensor g = torch::autograd::grad({y.square().sum()}, {clips}, {}, true, true)[0];
    g.square().sum().backward();
  });
  check(code == "ERR_VSSL_SECOND_ORDER", "a penalty on a network's gradient is refused, not ignored");
}

// A method's session, and numbers with which its step works.
struct Case {
  const char* method;
  Object options;
  std::vector<std::string> views;
  Object hyper;
};

std::vector<Case> cases() {
  const std::vector<std::string> pair{"view1", "view2"};
  const Object momentum{{"momentum", 0.9}, {"shuffle", 3}};
  const Object momentum_options{{"queue", 16}, {"normGroups", 2}};
  Object drops = momentum, random = momentum;
  drops.insert({"drop", 1});
  random.insert({{"drop", 1}, {"dropSeed", 4}});
  Object random_options = momentum_options;
  random_options.insert({"drop", "random"});
  const Object tokens{
      {"tokens", Value::Array{Object{{"name", "time"}, {"size", 1}}}}, {"width", 16}, {"heads", 2}};
  return {
      {"cvrl", {}, pair, {}},
      {"simclr", {}, pair, {}},
      {"moco", momentum_options, pair, momentum},
      {"videomoco", momentum_options, pair, drops},
      {"videomoco", random_options, pair, random},
      {"modist", momentum_options, {"v1", "v2", "m1", "m2"}, momentum},
      {"cate", tokens, pair, {}},
      {"tcgl",
       {{"sets", 2}},
       {"snippet1", "snippet2", "snippet3"},
       {{"orderSeed", 5}, {"corruptionSeed", 6}}},
      {"concur", {{"predictions", Value::Array{}}}, pair, {}},
      {"cstp", {{"predictions", Value::Array{}}}, pair, {{"momentum", 0.9}}},
  };
}

video::Batch batch_of(const Case& c) {
  video::Batch batch = make_batch(4, 4, 16, 1);
  const video::Batch more = make_batch(4, 4, 16, 2);
  std::vector<video::ViewBuffer> all = batch.views;
  all.insert(all.end(), more.views.begin(), more.views.end());
  all.resize(c.views.size());
  for (size_t i = 0; i < all.size(); ++i) all[i].name = c.views[i];
  batch.views = all;
  if (std::string(c.method) == "cate") {
    video::ViewBuffer side;
    side.name = "encodings";
    side.shape = {4, 2, 1};
    side.data.reset(new float[8](), std::default_delete<float[]>());
    batch.side = {side};
  }
  return batch;
}

// What a step is refused for, and that nothing moved: numbers, views and side arrays that are missing,
// unknown or not what the method reads.
void test_inputs() {
  for (const Case& c : cases()) {
    const std::string name = c.method;
    Session session(session_spec({{"method", name}, {"options", c.options}}));
    const video::Batch batch = batch_of(c);
    const auto start = session.export_state();
    Object good = c.hyper;
    good["lr"] = 0.01;
    const auto refused = [&](const Object& hyper, const std::string& what) {
      check(code_of([&] { session.step(batch, Value(hyper)); }) == "ERR_VSSL_INVALID_ARGUMENT",
            name + " refuses " + what);
    };
    for (const auto& [key, value] : good) {
      Object without = good, wrong = good, far = good;
      without.erase(key);
      refused(without, "a step without " + key);
      wrong[key] = "much";
      refused(wrong, key + " that is no number");
      for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), -1.0}) {
        far[key] = bad;
        refused(far, key + " of " + std::to_string(bad));
      }
    }
    Object more = good;
    more["momentun"] = 0.9;
    refused(more, "an unknown key");
    const auto refused_batch = [&](const std::function<void(video::Batch&)>& change,
                                   const std::string& what) {
      video::Batch other = batch;
      change(other);
      check(code_of([&] { session.step(other, Value(good)); }) == "ERR_VSSL_INVALID_ARGUMENT",
            name + " refuses " + what);
    };
    for (size_t i = 0; i < batch.views.size(); ++i) {
      const std::string view = batch.views[i].name;
      refused_batch([&](auto& b) { b.views.erase(b.views.begin() + i); }, "a batch without " + view);
      refused_batch([&](auto& b) { b.views[i].name = "other"; }, "a view of another name for " + view);
      refused_batch([&](auto& b) { b.views[i].dtype = video::DType::kInt64; }, view + " of whole numbers");
      refused_batch([&](auto& b) { b.views[i].shape = {4, 4 * 16 * 16 * 3}; }, view + " of flat rows");
      refused_batch([&](auto& b) { b.views[i].rows = {0, 1, 2, 3}; }, view + " of some samples");
    }
    refused_batch([&](auto& b) { b.side.push_back(b.views[0]); }, "a side array that it does not read");
    if (!batch.side.empty()) {
      refused_batch([&](auto& b) { b.side.clear(); }, "a batch without its side array");
      refused_batch([&](auto& b) { b.side[0].shape = {4, 2}; }, "a side array of another shape");
      refused_batch([&](auto& b) { b.side[0].shape = {2, 2, 1}; }, "a side array of fewer samples");
    }
    check(same_bytes(session.export_state(), start), name + ": none of these moved anything");
    check(session.step(batch, Value(good)).finite, name + ": a right step works after them");
  }
}

// The last parameter's objective has no scale: the update fails when it comes to it.
void test_failing_update() {
  for (const std::string name : {"sgd", "lars", "adamw"}) {
    std::vector<OptimParameter> parameters;
    for (int i = 0; i < 3; ++i) {
      const Tensor p = drawn({4, 5}, static_cast<uint64_t>(i)).requires_grad_();
      p.mutable_grad() = drawn({4, 5}, static_cast<uint64_t>(10 + i));
      parameters.push_back({"p" + std::to_string(i), p, true, i == 2 ? size_t{1} : size_t{0}});
    }
    const auto optimizer = create_optimizer(Value(Object{{"name", name}, {"weightDecay", 0.01}}), parameters);
    const auto snapshot = [&] {
      std::vector<Tensor> all;
      for (const auto& p : parameters) all.push_back(p.tensor.detach().clone());
      for (const auto& entry : optimizer->state()) all.push_back(entry.second.clone());
      return all;
    };
    const auto same = [](const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
      for (size_t i = 0; i < a.size(); ++i)
        if (!a[i].equal(b[i])) return false;
      return true;
    };
    const auto before = snapshot();
    bool threw = false;
    try {
      optimizer->step(0.1, {1.0});
    } catch (const std::exception&) {
      threw = true;
    }
    check(threw && same(snapshot(), before), name + ": an update that fails moves nothing");
    optimizer->step(0.1, {1.0, 1.0});
    check(!same(snapshot(), before), name + ": and works afterwards");
  }
}

int64_t passes_of(const Session& session_, const std::string& network) {
  auto& session = const_cast<Session&>(session_);
  for (const auto& tensor : session.export_state()) {
    const std::string prefix = "model/" + network + "/";
    if (tensor.name.rfind(prefix, 0) != 0 || tensor.name.find("num_batches_tracked") == std::string::npos)
      continue;
    int64_t count;
    std::memcpy(&count, tensor.data.data(), sizeof(count));
    return count;
  }
  throw Error("ERR_VSSL_TEST", "no statistics of " + network);
}

// Every training batch moves the running statistics once, however often a step looks at it: a count of 1 for
// each chunk of a network with BatchNorm.
void test_statistics() {
  for (const Case& c : cases()) {
    for (const int64_t accumulate : {1, 2}) {
      Object options = c.options;
      if (options.count("normGroups")) options["normGroups"] = 1;
      Object hyper = c.hyper;
      hyper["lr"] = 0.01;
      Session session(session_spec({{"method", c.method}, {"options", options}, {"accumulate", accumulate}}));
      session.step(batch_of(c), Value(hyper));
      const std::string method = c.method;
      const std::string network = method == "modist" ? "visual_encoder" : "encoder";
      check(passes_of(session, network) == accumulate,
            method + ": one update of the statistics for each of " + std::to_string(accumulate) +
                " chunks, not " + std::to_string(passes_of(session, network)));
    }
  }
}

void test_memory() {
  check(memory_limit() > 1e8 && memory_limit() < 1e16,
        "a sane limit: " + std::to_string(memory_limit()) + " bytes");
  check(code_of([] { check_memory(memory_limit(), "all of it"); }).empty(), "what fits is not refused");
  check(code_of([] { check_memory(memory_limit() * 1.01, "more"); }) == "ERR_VSSL_OUT_OF_MEMORY",
        "what does not is");
  const auto code_of_spec = [](const Object& changes) {
    return code_of([&] { Session session(session_spec(changes)); });
  };
  const auto model = [](const Object& spec) { return code_of([&] { Encoder encoder{Value(spec)}; }); };
  for (const double width : {1e3, 1e4}) {
    const std::string code = model({{"arch", "r3d_18"}, {"width", width}});
    check(code == "ERR_VSSL_OUT_OF_MEMORY" || code == "ERR_VSSL_INVALID_ARGUMENT",
          "a network of width " + std::to_string(width) + " is refused: " + code);
  }
  check(code_of_spec({{"method", "moco"}, {"options", Object{{"queue", 1 << 24}, {"headDim", 65536}}}}) ==
            "ERR_VSSL_OUT_OF_MEMORY",
        "a queue beyond memory is refused");
  check(code_of([] {
          const std::vector<float> x(8);
          const std::vector<int32_t> y{0, 1};
          fit_linear(x.data(), y.data(), 2, nullptr, 0, 4, int64_t{1} << 40, Value());
        }) == "ERR_VSSL_OUT_OF_MEMORY",
        "a probe with classes beyond memory is refused");
  Weights weights{Placement{}};
  const Scope root(weights, 3);
  const Conv3d conv(root / "conv", 1, 64, {1, 1, 1}, {1, 1, 1}, {8000, 8000, 8000});
  check(code_of([&] {
          conv.forward(at::zeros({1, 1, 1, 1, 1}), {});
        }) == "ERR_VSSL_OUT_OF_MEMORY",
        "a result beyond memory is refused");
}

}  // namespace
}  // namespace vssl::engine::testing

int main() {
  using namespace vssl::engine::testing;
  vssl::engine::set_threads(2);
  for (auto* test : {test_second_order, test_inputs, test_failing_update, test_statistics, test_memory}) {
    try {
      test();
    } catch (const std::exception& e) {
      vssl::check(false, std::string("threw: ") + e.what());
    }
  }
  return vssl::finish();
}
