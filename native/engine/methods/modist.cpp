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
// Options: those of a momentum branch; lambda; vv, vm, mv, mm, the weights; motionModel, the motion pathway's
// network. Each step: momentum, and shuffle.
#include <algorithm>
#include <optional>

#include "../blocks/momentum_branch.h"

namespace vssl::engine {

namespace {

// What stands before each loss in the sum.
struct Factors {
  double vv, vm, mv, mm;
};

Factors read_factors(Options& options) {
  const double lambda = options.number("lambda", 0);
  const Factors f{options.number("vv", 0), lambda * options.number("vm", 0), lambda * options.number("mv", 0),
                  lambda * options.number("mm", 0)};
  if (f.vv <= 0 && f.vm <= 0)
    throw_invalid("the visual pathway learns nothing when vv and vm have no weight");
  return f;
}

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
  explicit Modist(const MethodPlan& plan) : Modist(plan, read_momentum(plan.options)) {}

  std::vector<Network> networks() override {
    std::vector<Network> all;
    for (const auto& [prefix, branch] : branches())
      for (const Network& network : branch->networks(prefix)) all.push_back(network);
    return all;
  }

  Inputs inputs() const override {
    const auto& [vv, vm, mv, mm] = factors_;
    Inputs all{{}, visual_.side(), visual_.numbers()};
    const std::pair<const char*, bool> views[] = {
        {"v1", true}, {"v2", vv > 0 || mv > 0}, {"m1", mv > 0 || mm > 0}, {"m2", vm > 0 || mm > 0}};
    for (const auto& [name, needed] : views)
      if (needed) all.views.push_back(clip_view(name));
    return all;
  }

  void step(StepContext& context) override {
    const auto& [vv, vm, mv, mm] = factors_;
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

  std::vector<std::pair<std::string, Stored*>> stored() override {
    std::vector<std::pair<std::string, Stored*>> all;
    for (const auto& [prefix, branch] : branches()) all.emplace_back(prefix, &branch->queue());
    return all;
  }

  std::vector<std::pair<std::string, VideoNet*>> encoders() override {
    std::vector<std::pair<std::string, VideoNet*>> all{{"visual", &visual_.query().encoder()}};
    if (motion_) all.emplace_back("motion", &motion_->query().encoder());
    return all;
  }

 private:
  Modist(const MethodPlan& plan, const MomentumOptions& options)
      : factors_(read_factors(plan.options)), visual_(plan, options) {
    const Value& model = plan.options.value("motionModel");
    if (factors_.vm <= 0 && factors_.mv <= 0 && factors_.mm <= 0) return;
    motion_.emplace(MethodPlan{plan.options, model, plan.seed ^ kMotionSeed, plan.placement}, options);
  }

  std::vector<std::pair<std::string, const MomentumBranch*>> branches() const {
    std::vector<std::pair<std::string, const MomentumBranch*>> all{{"visual_", &visual_}};
    if (motion_) all.emplace_back("motion_", &*motion_);
    return all;
  }

  // Adds the losses of one view's queries and their gradient, chunk by chunk: the loss of a query needs no
  // other query.
  void learn(StepContext& context, const std::string& name, const MomentumBranch& branch,
             std::vector<Term> terms) const {
    terms.erase(std::remove_if(terms.begin(), terms.end(), [](const Term& t) { return t.factor <= 0; }),
                terms.end());
    if (terms.empty()) return;
    const Rows& view = context.view(name);
    for (const Chunk& chunk : context.chunks()) {
      Tensor q, sum;
      {
        const Stopwatch watch(context.times.forward);
        q = branch.embed_queries(context, context.clips(view, chunk));
      }
      {
        const Stopwatch watch(context.times.loss);
        for (const Term& term : terms) {
          const Tensor keys = term.keys.slice(0, chunk.begin, chunk.end);
          const Tensor own = MomentumBranch::part_of(visual_.videos_of(context), chunk);
          const Tensor loss = term.branch->info_nce(q, keys, own) * chunk.share;
          context.report(term.name, loss);
          context.report("loss", loss, term.factor);
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

VSSL_METHOD(modist) { return std::make_unique<Modist>(plan); }

}  // namespace vssl::engine
