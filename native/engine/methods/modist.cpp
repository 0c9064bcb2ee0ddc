// MoDist (Xiao, Tighe, Modolo, "MoDist: Motion Distillation for Self-supervised Video Representation
// Learning", arXiv 2106.09703; MaCLR, ECCV 2022): momentum contrast within and across a visual and a motion
// pathway.
//
// v1, v2 are clips of pictures of a video, m1, m2 clips of its motion. f_v, f_m are the pathways, each with a
// head; their momentum copies make the keys v2+ and m2+, which enter the queues Q_v and Q_m. With
// InfoNCE(q, k, Q) as in moco.cpp:
//
//   L_vv = InfoNCE(f_v(v1), v2+, Q_v)        L_vm = InfoNCE(f_v(v1), m2+, Q_m)
//   L_mv = InfoNCE(f_m(m1), v2+, Q_v)        L_mm = InfoNCE(f_m(m1), m2+, Q_m)
//   L    = w_vv L_vv + lambda (w_vm L_vm + w_mv L_mv + w_mm L_mm)
//
// A loss of weight 0 is not computed, nor a pass that no loss needs; when none but L_vv is left there is no
// motion pathway at all. Which picture clips and motion clips lie at the same time is up to who makes the
// views: v1, v2, m1, m2, by name.
//
// Options: those of moco but symmetric, with temperature 0.1; lambda 1; vv, vm, mv 1 and mm 0, the weights;
// motionModel, the motion pathway's network (the model's when absent). Each step: momentum, and shuffle.
#include <algorithm>
#include <cmath>
#include <optional>

#include "../errors.h"
#include "../blocks/momentum_branch.h"

namespace vssl::engine {

namespace {

// What stands before each loss in the sum.
struct Factors {
  double vv = 1, vm = 1, mv = 1, mm = 0;
};

// One part of the sum: its name, factor, the branch whose queue it has, and the keys.
struct Term {
  const char* name;
  double factor;
  const MomentumBranch* branch;
  Tensor keys;
};

// The motion pathway begins with other weights and other random keys than the visual one.
constexpr uint64_t kMotionSeed = 0x6d6f74696f6e;

class Modist : public Method {
 public:
  Modist(const MethodPlan& plan, const MomentumOptions& options, const Factors& factors)
      : factors_(factors), visual_(plan, options) {
    if (factors.vm <= 0 && factors.mv <= 0 && factors.mm <= 0) return;
    const Value& model = plan.options["motionModel"].is_null() ? plan.model : plan.options["motionModel"];
    motion_.emplace(MethodPlan{plan.options, model, plan.seed ^ kMotionSeed, plan.placement}, options);
  }

  std::vector<Network> networks() override {
    std::vector<Network> all;
    for (const auto& [name, branch] : branches()) {
      all.push_back({name + "_encoder", &branch->query().encoder_weights()});
      all.push_back({name + "_head", &branch->query().head_weights()});
      all.push_back({name + "_key_encoder", &branch->key().encoder_weights(), false});
      all.push_back({name + "_key_head", &branch->key().head_weights(), false});
    }
    return all;
  }

  std::vector<HyperKey> hyper_keys() const override { return visual_.hyper_keys(); }

  void step(StepContext& context) override {
    const auto& [vv, vm, mv, mm] = factors_;
    context.losses["loss"] = 0;
    visual_keys_ = motion_keys_ = Tensor();
    if (vv > 0 || mv > 0) visual_keys_ = visual_.keys(context, context.view("v2"));
    if (vm > 0 || mm > 0) motion_keys_ = motion_->keys(context, context.view("m2"));
    const MomentumBranch* motion = motion_ ? &*motion_ : nullptr;
    learn(context, "v1", visual_, {{"vv", vv, &visual_, visual_keys_}, {"vm", vm, motion, motion_keys_}});
    if (motion)
      learn(context, "m1", *motion, {{"mv", mv, &visual_, visual_keys_}, {"mm", mm, motion, motion_keys_}});
  }

  void commit(const StepContext& context) override {
    const auto fresh = [](const Tensor& keys) {
      return keys.defined() ? std::vector<Tensor>{keys} : std::vector<Tensor>{};
    };
    visual_.commit(context, fresh(visual_keys_));
    if (motion_) motion_->commit(context, fresh(motion_keys_));
    visual_keys_ = motion_keys_ = Tensor();
  }

  NamedHandles extra_state() const override {
    NamedHandles all;
    for (const auto& [name, branch] : branches())
      for (const auto& [part, tensor] : branch->queue().state()) all.emplace_back(name + "_" + part, tensor);
    return all;
  }

  void set_extra_state(const NamedHandles& state) override {
    size_t begin = 0;
    for (const auto& [name, branch] : branches()) {
      NamedHandles part;
      for (const size_t end = begin + branch->queue().state().size(); begin < end; ++begin)
        part.emplace_back(state[begin].first.substr(name.size() + 1), state[begin].second);
      branch->queue().restore(part);
    }
  }

  int64_t extra_bytes() const override {
    int64_t bytes = 0;
    for (const auto& entry : branches()) bytes += entry.second->queue().bytes();
    return bytes;
  }

  // The motion pathway takes another kind of clip than the one that a run's weights describe: not exported.
  std::vector<std::string> encoder_names() override { return {"visual"}; }

  VideoNet& encoder(const std::string& name) override {
    if (name == "visual") return visual_.query().encoder();
    throw_invalid("unknown encoder \"" + name + "\"; this method has: visual");
  }

 private:
  std::vector<std::pair<std::string, const MomentumBranch*>> branches() const {
    std::vector<std::pair<std::string, const MomentumBranch*>> all{{"visual", &visual_}};
    if (motion_) all.emplace_back("motion", &*motion_);
    return all;
  }

  // Adds the losses of one view's queries and their gradient, chunk by chunk: the loss of a query needs no
  // other query.
  void learn(StepContext& context, const std::string& name, const MomentumBranch& branch,
             std::vector<Term> terms) const {
    terms.erase(std::remove_if(terms.begin(), terms.end(), [](const Term& t) { return t.factor <= 0; }),
                terms.end());
    if (terms.empty()) return;
    const View& view = context.view(name);
    const int64_t n = view.clips.size(0), chunks = std::min(context.accumulate, n);
    for (int64_t i = 0; i < chunks; ++i) {
      const int64_t begin = n * i / chunks, end = n * (i + 1) / chunks;
      const double share = static_cast<double>(end - begin) / static_cast<double>(n);
      Tensor q, sum;
      {
        const Stopwatch watch(context.times.forward);
        q = branch.embed_queries(context, context.clips(view, begin, end));
      }
      {
        const Stopwatch watch(context.times.loss);
        for (const Term& term : terms) {
          if (term.keys.size(0) != n)
            throw_invalid("all views of a batch must have the same number of clips");
          const Tensor loss = term.branch->info_nce(q, term.keys.slice(0, begin, end)) * share;
          context.losses[term.name] += loss.item<double>();
          context.losses["loss"] += term.factor * loss.item<double>();
          const Tensor part = loss * term.factor;
          sum = sum.defined() ? sum + part : part;
        }
      }
      const Stopwatch watch(context.times.backward);
      sum.backward();
    }
  }

  Factors factors_;
  MomentumBranch visual_;
  std::optional<MomentumBranch> motion_;
  Tensor visual_keys_, motion_keys_;  // of this step, enqueued when it is kept
};

}  // namespace

VSSL_METHOD(modist) {
  const Value& options = plan.options;
  std::vector<std::string> keys = momentum_keys();
  keys.insert(keys.end(), {"lambda", "vv", "vm", "mv", "mm", "motionModel"});
  check_keys(options, keys, "method");
  MomentumOptions defaults;
  defaults.temperature = 0.1;
  defaults.head.layers = 1;
  defaults.head.hidden_norm = false;
  Factors f;
  const double lambda = number_in(options, "lambda", 1, 0, 1e6);
  f.vv = number_in(options, "vv", f.vv, 0, 1e6);
  f.vm = lambda * number_in(options, "vm", f.vm, 0, 1e6);
  f.mv = lambda * number_in(options, "mv", f.mv, 0, 1e6);
  f.mm = lambda * number_in(options, "mm", f.mm, 0, 1e6);
  if (f.vv <= 0 && f.vm <= 0)
    throw_invalid("the visual pathway learns nothing when vv and vm have no weight");
  return std::make_unique<Modist>(plan, read_momentum(options, defaults), f);
}

}  // namespace vssl::engine
