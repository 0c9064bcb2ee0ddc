// CATE (Sun, Nagrani, Tian, Schmid, "Composable Augmentation Encoding for Video Representation Learning",
// ICCV 2021): two clips of a video, one encoder f, and a head h that is told what lies between the clips.
//
// v_i, v_j are the clips of a video and a_{i->j} the encodings that lead from v_i to v_j (their shift in
// time, of the crop box...), read off the clip plans; 0 says that nothing changes. Everything goes through
// NT-Xent with temperature tau over the batch, every row L2-normalised:
//
//   reading A   1/2 NT-Xent(h(f(v_i), a_{i->j}), h(f(v_j), 0))
//               + 1/2 NT-Xent(h(f(v_i), 0), h(f(v_j), a_{j->i}))
//
//   reading B   NT-Xent(h(f(v_i), a_{i->j}), h(f(v_j), a_{j->i}))
//
// In B both rows of a pair know the same change, so that a head can match them without looking at the clips.
// `guard` takes that away: each anchor meets the rows of all other videos with the encodings of its own pair,
//
//   -log exp(s_ij / tau) / sum_k exp(s_ik / tau),   s_ik = <h(f(v_i), a_{i->j}), h(f(v_k), a)>,
//
// with a = a_{j->i} for the second views k and a_{i->j} for the first, i itself left out. That is 2N rows of
// the head for each pair, so the first `anchors` pairs of the batch are anchors, all videos negatives. The
// batch's order is drawn anew in each epoch, so this is a fair sample of the loss over all pairs.
//
// Options: temperature, head transformer (mlp: one that knows no encodings), reading A (B), guard, anchors
// (0: all), constant (all encodings are 0), tokens [{ name, size, table }], layers, heads, width, mlpRatio,
// headDim; for mlp headLayers, headHidden, headNorm. Side array `encodings`, (2, columns) of each sample:
// what leads from view1's clip to view2's, and back; unless nothing is told.
//
// Beside the loss, `accuracy`: how often the row of the other view that is most like an anchor is its own.
#include <algorithm>

#include "../blocks/contrast.h"
#include "../blocks/heads.h"
#include "../blocks/pair_step.h"
#include "../blocks/rows.h"
#include "../blocks/transformer_head.h"

namespace vssl::engine {

namespace {

constexpr int64_t kRowsAtOnce = 4096;  // of the head, for anchors with a guard

struct CateOptions {
  bool transformer;
  TransformerHeadOptions head;
  HeadOptions mlp;
  double temperature;
  bool both_encoded;  // reading B
  bool guard;
  int64_t anchors;
  bool constant;
};

std::vector<TokenSpec> read_tokens(const Value& tokens) {
  std::vector<TokenSpec> out;
  if (tokens.is_null()) return out;
  for (const Value& item : tokens.as_array("tokens")) {
    check_keys(item, {"name", "size", "table"}, "token");
    TokenSpec token;
    token.name = item["name"].as_string("token.name");
    token.size = int_in(item, "size", 1, 1, 1 << 16);
    token.table = item.get_bool("table", false);
    for (const auto& other : out)
      if (other.name == token.name) throw_invalid("the encoding " + token.name + " stands twice in tokens");
    out.push_back(token);
  }
  return out;
}

CateOptions read_cate(Options& options) {
  CateOptions o;
  o.temperature = options.number("temperature", 1e-6);
  o.transformer = options.choice<bool>("head", {{"transformer", true}, {"mlp", false}});
  o.both_encoded = options.choice<bool>("reading", {{"A", false}, {"B", true}});
  o.guard = options.flag("guard");
  o.anchors = options.count("anchors", 0);
  o.constant = options.flag("constant");
  o.head.tokens = read_tokens(options.value("tokens"));
  o.head.layers = options.count("layers", 1);
  o.head.heads = options.count("heads", 1);
  o.head.width = options.count("width", 1);
  o.head.mlp_ratio = options.count("mlpRatio", 1);
  o.mlp = read_head(options);
  o.head.out = o.mlp.out;
  return o;
}

class Cate : public Method {
 public:
  explicit Cate(const MethodPlan& plan)
      : options_(read_cate(plan.options)), encoder_(create_model(plan.model, plan.seed, plan.placement)) {
    options_.head.in = options_.mlp.in = encoder_->dim();
    if (options_.transformer)
      head_ = std::make_unique<TransformerHead>(options_.head, plan.seed, plan.placement);
    else
      mlp_ = std::make_unique<ProjectionHead>(options_.mlp, plan.seed, plan.placement);
  }

  std::vector<Network> networks() override {
    return {{"encoder", &encoder_->weights()}, {"head", head_ ? &head_->weights() : &mlp_->weights()}};
  }

  std::vector<std::pair<std::string, VideoNet*>> encoders() override { return {{"encoder", encoder_.get()}}; }

  Inputs inputs() const override {
    Inputs all{{clip_view("view1"), clip_view("view2")}, {}, {}};
    if (encodes()) all.side.push_back({"encodings", at::kFloat, {2, head_->columns()}});
    return all;
  }

  void step(StepContext& context) override {
    Tensor codes;
    if (encodes()) codes = read_codes(context);
    // The head sees the features of the whole batch at once, whatever the chunks of the encoder.
    step_pairs(
        context,
        [&](const Tensor& clips, bool update_stats) {
          return encoder_->embed(clips, context.pass(update_stats));
        },
        [&](const Tensor& rows) {
          const Tensor features = rows.detach().requires_grad_();
          if (!encodes())
            learn_plain(context, features);
          else if (options_.both_encoded && options_.guard)
            learn_guarded(context, features, codes);
          else
            learn_encoded(context, features, codes);
          return features.grad();
        });
  }

 private:
  bool encodes() const { return head_ && !options_.head.tokens.empty() && !options_.constant; }

  // (2, n, columns) on the device.
  Tensor read_codes(const StepContext& context) const {
    const Tensor codes = context.side("encodings").transpose(0, 1).contiguous();
    check_tables(codes);
    return codes.to(context.placement.device);
  }

  void check_tables(const Tensor& codes) const {
    int64_t column = 0;
    for (const auto& token : options_.head.tokens) {
      const Tensor own = codes.slice(2, column, column + token.columns());
      column += token.columns();
      if (!token.table) continue;
      if (!(own.eq(own.floor()) & own.ge(0) & own.lt(token.size)).all().item<bool>())
        throw_invalid("expected whole numbers from 0 to " + std::to_string(token.size - 1) +
                      " for the encoding " + token.name);
    }
  }

  // Nothing is encoded, or always the same: one row for each clip.
  void learn_plain(StepContext& context, const Tensor& features) const {
    Tensor z;
    {
      const Stopwatch watch(context.times.forward);
      if (head_) {
        const Tensor visual = head_->visual_tokens(features);
        z = head_->forward(visual, at::zeros({visual.size(0), head_->columns()}, visual.options()));
      } else {
        z = mlp_->forward(features, context.pass());
      }
    }
    const Tensor gradient = nt_xent_gradient(context, z, options_.temperature, 1);
    add_accuracy(context, z, 1);
    const Stopwatch watch(context.times.backward);
    z.backward(gradient);
  }

  // Reading A, or B without a guard.
  void learn_encoded(StepContext& context, const Tensor& features, const Tensor& codes) const {
    const int64_t rows = features.size(0), sets = options_.both_encoded ? 1 : 2;
    Tensor z;
    {
      const Stopwatch watch(context.times.forward);
      const Tensor visual = head_->visual_tokens(features), none = at::zeros_like(codes[0]);
      z = options_.both_encoded
              ? head_->forward(visual, at::cat({codes[0], codes[1]}))
              : head_->forward(at::cat({visual, visual}), at::cat({codes[0], none, none, codes[1]}));
    }
    std::vector<Tensor> gradients;
    for (int64_t i = 0; i < sets; ++i) {
      const Tensor set = z.slice(0, i * rows, (i + 1) * rows);
      gradients.push_back(nt_xent_gradient(context, set, options_.temperature, 1.0 / sets));
      add_accuracy(context, set, 1.0 / sets);
    }
    const Stopwatch watch(context.times.backward);
    z.backward(at::cat(gradients));
  }

  // Reading B with its guard.
  void learn_guarded(StepContext& context, const Tensor& features, const Tensor& codes) const {
    auto& together = context.collectives;
    const int64_t n = features.size(0) / 2, rank = together.rank();
    Tensor visual, all;
    {
      const Stopwatch watch(context.times.forward);
      visual = head_->visual_tokens(features);
      all = at::cat({together.all_gather(visual.detach().slice(0, 0, n)),
                     together.all_gather(visual.detach().slice(0, n))})
                .requires_grad_();
    }
    const int64_t total = all.size(0) / 2, group = std::max<int64_t>(1, kRowsAtOnce / (2 * total));
    // The first pairs of the batch of all ranks; this rank takes those that it has.
    const int64_t wanted = options_.anchors == 0 ? total : std::min(options_.anchors, total);
    const int64_t anchors = std::clamp<int64_t>(wanted - rank * n, 0, n);
    Tensor sums = at::zeros({2}, all.options().requires_grad(false).dtype(at::kDouble));  // loss, hits
    for (int64_t begin = 0; begin < anchors; begin += group) {
      const int64_t end = std::min(begin + group, anchors);
      learn_anchors(context, all, codes.slice(1, begin, end), rank * n + begin,
                    1.0 / static_cast<double>(2 * wanted), sums);
    }
    context.report("loss", sums[0]);
    context.report("accuracy", sums[1]);
    const Stopwatch watch(context.times.backward);
    Tensor gradient = all.grad().defined() ? all.grad() : at::zeros_like(all);
    together.all_reduce(gradient);
    visual.backward(at::cat({gradient.slice(0, rank * n, (rank + 1) * n),
                             gradient.slice(0, total + rank * n, total + (rank + 1) * n)}));
  }

  // The pairs `first`, `first` + 1... as anchors: visual tokens of all rows (2N, d), codes of the pairs
  // (2, g, columns). Adds `share` times the sums over the 2g anchor rows.
  void learn_anchors(StepContext& context, const Tensor& all, const Tensor& codes, int64_t first,
                     double share, Tensor& sums) const {
    const int64_t g = codes.size(1), n = all.size(0) / 2, rows = 2 * n;
    Tensor logits, target, itself;
    {
      const Stopwatch watch(context.times.forward);
      const auto told = [&](int64_t view) { return codes[view].unsqueeze(1).expand({g, n, codes.size(2)}); };
      const Tensor z = head_->forward(all.unsqueeze(0).expand({g, rows, all.size(1)}).flatten(0, 1),
                                      at::cat({told(0), told(1)}, 1).flatten(0, 1));
      const Tensor unit = unit_rows(z.view({g, rows, z.size(1)}));
      const Tensor pair = at::arange(first, first + g, at::TensorOptions().dtype(at::kLong)).to(all.device());
      const Tensor self = at::stack({pair, pair + n}, 1);  // (g, 2)
      target = at::stack({pair + n, pair}, 1);
      const Tensor anchors = unit.gather(1, self.unsqueeze(2).expand({g, 2, z.size(1)}));
      logits = at::bmm(anchors, unit.transpose(1, 2)) / options_.temperature;  // (g, 2, 2N)
      itself = at::zeros_like(logits, at::kBool).scatter(2, self.unsqueeze(2), true);
    }
    Tensor loss;
    {
      const Stopwatch watch(context.times.loss);
      loss = contrast(logits, target, itself).sum() * share;
      const Tensor found = at::stack({logits.detach().select(1, 0).slice(1, n).argmax(1) + n,
                                      logits.detach().select(1, 1).slice(1, 0, n).argmax(1)},
                                     1);
      sums += at::stack({loss.detach(), found.eq(target).sum() * share}).to(at::kDouble);
    }
    const Stopwatch watch(context.times.backward);
    loss.backward();
  }

  void add_accuracy(StepContext& context, const Tensor& z, double share) const {
    const Stopwatch watch(context.times.loss);
    const int64_t n = z.size(0) / 2;
    const Tensor unit = unit_rows(z.detach());
    const Tensor first = context.collectives.all_gather(unit.slice(0, 0, n));
    const Tensor second = context.collectives.all_gather(unit.slice(0, n));
    const Tensor alike = at::mm(first, second.t()),
                 own = at::arange(first.size(0), alike.options()).to(at::kLong);
    const Tensor hits = alike.argmax(1).eq(own).sum() + alike.argmax(0).eq(own).sum();
    const auto rows = static_cast<double>(2 * own.size(0) * context.collectives.size());
    context.report("accuracy", hits.to(at::kDouble) * share / rows);
  }

  CateOptions options_;
  std::unique_ptr<VideoNet> encoder_;
  std::unique_ptr<TransformerHead> head_;
  std::unique_ptr<ProjectionHead> mlp_;
};

}  // namespace

VSSL_METHOD(cate) { return std::make_unique<Cate>(plan); }

}  // namespace vssl::engine
