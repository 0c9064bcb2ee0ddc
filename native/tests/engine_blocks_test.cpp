// Blocks against slow twins in double precision, written from their formulas: the general contrast and its
// special cases, the ring of keys with columns; stages of networks; what the helpers of a step do with a
// batch, and options. helpers do with a batch.
#include "../engine/blocks/contrast.h"
#include "../engine/blocks/key_queue.h"
#include "../engine/blocks/key_ring.h"
#include "../engine/blocks/losses.h"
#include "../engine/blocks/pair_step.h"
#include "../engine/runtime.h"
#include "engine_methods.h"

namespace vssl::engine::testing {
namespace {

using Row = std::vector<double>;
using Matrix = std::vector<Row>;

Matrix matrix_of(const Tensor& x) {
  Matrix out;
  for (int64_t i = 0; i < x.size(0); ++i) {
    const Tensor row = x[i].detach().to(at::kDouble).contiguous();
    out.emplace_back(row.const_data_ptr<double>(), row.const_data_ptr<double>() + row.numel());
  }
  return out;
}

// Mean over rows of the contrast, from its formula with loops. Weights as a matrix; excluded: 1 where a key
// is left out.
double contrast_twin(const Matrix& q, const Matrix& k, const Matrix& weights, const Matrix& excluded,
                     double tau, bool inside) {
  const auto norm = [](const Row& x) {
    double sum = 0;
    for (const double v : x) sum += v * v;
    return std::max(std::sqrt(sum), 1e-12);
  };
  double total = 0;
  for (size_t i = 0; i < q.size(); ++i) {
    Row p(k.size());
    double sum = 0, weight = 0, positive = 0, logs = 0;
    for (size_t j = 0; j < k.size(); ++j) {
      double dot = 0;
      for (size_t d = 0; d < q[i].size(); ++d) dot += q[i][d] * k[j][d];
      p[j] = excluded[i][j] > 0 ? 0 : std::exp(dot / norm(q[i]) / norm(k[j]) / tau);
      sum += p[j];
    }
    for (size_t j = 0; j < k.size(); ++j) {
      if (weights[i][j] <= 0) continue;
      weight += weights[i][j];
      positive += weights[i][j] * p[j] / sum;
      logs += weights[i][j] * std::log(p[j] / sum);
    }
    if (weight > 0) total -= inside ? std::log(positive) : logs / weight;
  }
  return total / static_cast<double>(q.size());
}

// Weights of some positives a row, none in row 3, and exclusions beside them.
std::pair<Tensor, Tensor> drawn_targets(int64_t n, int64_t m, uint64_t seed) {
  const Tensor chance = drawn({n, m}, seed);
  const Tensor weights = at::where(chance.gt(0.8), drawn({n, m}, seed + 1).abs() + 0.1, at::zeros({n, m}));
  weights.select(1, 0).fill_(0.7);
  if (n > 3) weights[3].zero_();
  return {weights, chance.lt(-0.8).logical_and(weights.eq(0))};
}

// NT-Xent with a negative of each video's own, row by row in double precision; and the gradient by
// differences.
double against_own_twin(const Tensor& z, int64_t n, double tau) {
  const Tensor x = z.to(at::kDouble), u = x / x.norm(2, {1}, true);
  double loss = 0;
  for (int64_t r = 0; r < 2 * n; ++r) {
    const auto s = [&](int64_t k) { return (u[r] * u[k]).sum().item<double>() / tau; };
    double sum = std::exp(s(2 * n + r % n));
    for (int64_t k = 0; k < 2 * n; ++k)
      if (k != r) sum += std::exp(s(k));
    loss += std::log(sum) - s((r + n) % (2 * n));
  }
  return loss / static_cast<double>(2 * n);
}

void test_own_negatives() {
  const int64_t n = 4, dim = 5;
  const Tensor z = drawn({3 * n, dim}, 31);
  SingleProcess alone;
  const std::vector<Rows> nothing;
  const Value none{Object{}};
  StepContext context(nothing, nothing, n, none, alone, false, 1, at::kFloat, Placement{});
  const Tensor gradient = nt_xent_against_own(context, z, 0.3, 2);
  check_at_most(std::fabs(context.losses().at("loss") - 2 * against_own_twin(z, n, 0.3)), 1e-5,
                "NT-Xent with own negatives: loss");
  double worst = 0;
  for (int64_t i = 0; i < z.numel(); ++i) {
    const auto shifted = [&](double by) {
      const Tensor x = z.to(at::kDouble).clone();
      x.view(-1)[i] += by;
      return 2 * against_own_twin(x, n, 0.3);
    };
    const double slope = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
    worst = std::max(worst, std::fabs(slope - gradient.reshape(-1)[i].item<double>()));
  }
  check_at_most(worst, 1e-5, "NT-Xent with own negatives: gradient");

  MomentumQueueOptions options;
  options.capacity = 7;
  options.dim = dim;
  options.decay = 0.9;
  options.ids = true;
  const auto queue = create_key_queue(options, at::kCPU);
  const Tensor ids = at::arange(5, at::TensorOptions(at::kLong));
  queue->enqueue(drawn({5, dim}, 33), ids);
  const Tensor q = drawn({n, dim}, 34).requires_grad_(), k = drawn({n, dim}, 35), w = drawn({n, dim}, 36);
  const Tensor own = ids.slice(0, 0, n);
  const Tensor loss = queue->info_nce_against_own(q, k, w, options, 0.2, own);
  const auto state = queue->state();
  double expected = 0;
  const auto unit = [](const Tensor& x) { return x.to(at::kDouble) / x.to(at::kDouble).norm(2, {1}, true); };
  const Tensor zq = unit(q.detach()), zk = unit(k), zw = unit(w), held = state[0].second.to(at::kDouble);
  for (int64_t i = 0; i < n; ++i) {
    const auto dot = [&](const Tensor& a, const Tensor& b) { return (a * b).sum().item<double>() / 0.2; };
    double sum = std::exp(dot(zq[i], zk[i])) + std::exp(dot(zq[i], zw[i]));
    for (int64_t j = 0; j < 7; ++j)
      if (state[3].second[j].item<int64_t>() != own[i].item<int64_t>())
        sum += std::exp(std::pow(0.9, state[1].second[j].item<double>()) * dot(zq[i], held[j]));
    expected += (std::log(sum) - dot(zq[i], zk[i])) / static_cast<double>(n);
  }
  check_at_most(std::fabs(loss.item<double>() - expected), 1e-5,
                "InfoNCE with own negatives, without own keys");
  // Without a negative it is the kernel's.
  const Tensor plain = queue->info_nce_loss(q, k, 0.2, own);
  const Tensor far = -q.detach() * 1e6;  // the opposite of each query: e^-5
  check(plain.item<double>() < queue->info_nce_against_own(q, k, far, options, 0.2, own).item<double>(),
        "one negative more costs");
}

void test_contrast() {
  const double tau = 0.3;
  for (const bool inside : {false, true}) {
    const Positives positives = inside ? Positives::kInside : Positives::kOutside;
    const std::string what = inside ? "positives inside the logarithm" : "positives outside the logarithm";
    const auto [weights, excluded] = drawn_targets(6, 9, 20);
    const Tensor q = drawn({6, 5}, 1).requires_grad_(), k = drawn({9, 5}, 2).requires_grad_();
    const Tensor loss = contrast(contrast_logits(q, k, tau), weights, excluded, positives).mean();
    loss.backward();
    Matrix mq = matrix_of(q), mk = matrix_of(k);
    const Matrix w = matrix_of(weights), e = matrix_of(excluded);
    const double expected = contrast_twin(mq, mk, w, e, tau, inside);
    check_at_most(std::fabs(loss.item<double>() - expected), 1e-5 * std::fabs(expected), what);
    for (const auto& [x, plain] : {std::pair<Tensor, Matrix*>{q, &mq}, {k, &mk}})
      for (size_t i = 0; i < plain->size(); ++i)
        for (size_t d = 0; d < 5; ++d) {
          double& entry = (*plain)[i][d];
          const double kept = entry, h = 1e-6;
          entry = kept + h;
          const double up = contrast_twin(mq, mk, w, e, tau, inside);
          entry = kept - h;
          const double difference = (up - contrast_twin(mq, mk, w, e, tau, inside)) / (2 * h);
          entry = kept;
          check_at_most(std::fabs(x.grad()[static_cast<int64_t>(i)][static_cast<int64_t>(d)].item<double>() -
                                  difference),
                        2e-5, what + ": a gradient");
        }
  }
  check(code_of([&] {
          contrast(at::zeros({2, 3}), at::zeros({2, 2}));
        }) == "ERR_VSSL_INVALID_ARGUMENT",
        "targets of another shape are refused");
}

// NT-Xent and InfoNCE are special cases, whose kernels give the same numbers.
void test_special_cases() {
  const int64_t n = 7;
  const Tensor z = drawn({2 * n, 12}, 3).requires_grad_(), same = z.detach().clone().requires_grad_();
  nt_xent_loss(z, 0.2).backward();
  const Tensor other = (at::arange(2 * n, at::kLong) + n).remainder(2 * n);
  const Tensor itself = at::eye(2 * n, at::TensorOptions(at::kBool));
  const Tensor loss = contrast(contrast_logits(same, same, 0.2), other, itself).mean();
  loss.backward();
  check_at_most(std::fabs((loss - nt_xent_loss(z.detach(), 0.2)).item<double>()), 1e-5,
                "NT-Xent is a contrast");
  check_at_most((z.grad() - same.grad()).abs().max().item<double>(), 1e-6, "and its gradient that of one");

  MomentumQueueOptions options;
  options.capacity = 20;
  options.dim = 12;
  const auto queue = create_key_queue(options, at::kCPU);
  const Tensor q = drawn({n, 12}, 4), k = drawn({n, 12}, 5), keys = queue->state()[0].second;
  const Tensor logits = at::cat(
      {contrast_logits(q.unsqueeze(1), k.unsqueeze(1), 0.2).squeeze(1), contrast_logits(q, keys, 0.2)}, 1);
  const Tensor mean = contrast(logits, at::zeros({n}, at::kLong)).mean();
  check_at_most(std::fabs((mean - queue->info_nce_loss(q, k, 0.2)).item<double>()), 1e-5,
                "InfoNCE is a contrast");
}

// A ring against a list, and what its columns are for: queries that do not meet their own video's keys.
void test_key_ring() {
  const std::vector<RingColumn> columns{{"video", 1, at::kLong}, {"other", 3, at::kFloat}};
  KeyRing ring(10, 4, columns, at::kCPU);
  std::vector<std::pair<int64_t, Tensor>> list(10, {-1, Tensor()});  // by slot
  int64_t pushed = 0;
  for (const int64_t rows : {4, 5, 3, 25, 1}) {
    const Tensor keys = drawn({rows, 4}, 30 + rows), other = drawn({rows, 3}, 60 + rows);
    const Tensor video = at::arange(pushed, pushed + rows, at::kLong).remainder(6).unsqueeze(1);
    ring.push(keys, {video, other});
    for (int64_t i = 0; i < rows; ++i)
      list[(pushed + i) % 10] = {video[i].item<int64_t>(), at::cat({keys[i] / keys[i].norm(), other[i]})};
    pushed += rows;
    check(ring.length() == std::min<int64_t>(pushed, 10) && ring.next() == pushed % 10,
          "its length and next slot");
    double worst = 0;
    for (int64_t slot = 0; slot < ring.length(); ++slot) {
      const auto& [id, values] = list[slot];
      check(ring.column("video")[slot].item<int64_t>() == id, "a column goes with its key");
      const Tensor found = at::cat({ring.keys()[slot], ring.column("other")[slot]});
      worst = worse(worst, (found - values).abs().max().item<double>());
    }
    check_at_most(worst, 1e-6, "keys and columns by slot");
  }
  KeyRing copy(10, 4, columns, at::kCPU);
  const NamedHandles from = ring.state(), to = copy.state();
  for (size_t i = 0; i < to.size(); ++i) to[i].second.copy_(from[i].second);
  copy.restore(to);
  check(copy.next() == ring.next() && at::equal(copy.column("video"), ring.column("video")),
        "restored from its state");
  check(code_of([&] {
          ring.push(drawn({2, 4}, 1), {at::zeros({2, 1}, at::kLong)});
        }) == "ERR_VSSL_INVALID_ARGUMENT" &&
            code_of([&] {
              ring.push(drawn({2, 5}, 1), {});
            }) == "ERR_VSSL_INVALID_ARGUMENT",
        "keys without all columns, or of another width, are refused");

  const Tensor q = drawn({3, 4}, 7), own = at::tensor({0, 3, 5}, at::kLong);
  const Tensor excluded = ring.column("video").t().eq(own.unsqueeze(1));
  const Tensor all = at::cat({at::zeros({3, 1}, at::kBool), excluded}, 1);
  const Tensor keys = at::cat({q[0].unsqueeze(0), ring.keys()});
  Matrix weights(3, Row(11, 0));
  for (Row& row : weights) row[0] = 1;
  const double expected = contrast_twin(matrix_of(q), matrix_of(keys), weights, matrix_of(all), 0.2, false);
  const Tensor loss = contrast(contrast_logits(q, keys, 0.2), at::zeros({3}, at::kLong), all).mean();
  check(excluded.any().item<bool>(), "the ring holds keys of the queries' videos");
  check_at_most(std::fabs(loss.item<double>() - expected), 1e-5, "which a mask by their column leaves out");
}

// The blocks that a network is embedded by, one after the other, are the network.
void test_stages() {
  for (const ArchitectureInfo& info : architectures()) {
    const auto net = create_model(Value(Object{{"arch", info.name}, {"width", 0.125}}), 1, Placement{});
    const Tensor clips = drawn_clips({2, 3, 8, 16, 16}, 2);
    Tensor x = clips;
    for (int64_t i = 0; i < net->stages(); ++i) x = net->stage(i, x, Pass{});
    const Tensor rows = VideoNet::pool(x, Pass{});
    const double apart = ((rows - net->embed(clips, Pass{})).norm() / rows.norm()).item<double>();
    check_at_most(apart, 1e-5, info.name + " is its stages and a pooling");
    const int64_t frames = info.least_clip.frames, size = info.least_clip.size;
    check(code_of([&] {
            net->embed(drawn_clips({1, 3, frames, size, size}, 1), Pass{});
          }).empty(),
          info.name + " takes its least clip");
    if (frames > 1)
      check(code_of([&] {
              net->embed(drawn_clips({1, 3, frames - 1, size, size}, 1), Pass{});
            }) == "ERR_VSSL_INVALID_ARGUMENT",
            info.name + " takes no shorter one");
  }
}

// Chunks share out the batch; rows of a view that some samples lack go with their chunk; reports add up.
void test_step_context() {
  const std::vector<Rows> views{{"clip", drawn({7, 2}, 1), {}},
                                {"word", at::arange(3, at::kLong), {1, 4, 5}}};
  const Value numbers(Object{{"lr", 0.1}});
  SingleProcess alone;
  StepContext context(views, {}, 7, numbers, alone, false, 3, at::kFloat, Placement{});
  double share = 0;
  std::vector<int64_t> words, samples;
  for (const Chunk& chunk : context.chunks()) {
    share += chunk.share;
    const Tensor rows = context.rows(views[1], chunk), places = context.places(views[1], chunk);
    for (int64_t i = 0; i < rows.size(0); ++i) {
      words.push_back(rows[i].item<int64_t>());
      samples.push_back(chunk.begin + places[i].item<int64_t>());
    }
    context.report("loss", at::full({}, 2.0f), chunk.share);
    context.report("other", at::full({}, 1, at::kLong));
  }
  check_at_most(std::fabs(share - 1), 1e-12, "shares of chunks add up to 1");
  check(words == std::vector<int64_t>{0, 1, 2} && samples == views[1].samples,
        "each row in the chunk of its sample");
  const auto losses = context.losses();
  check_at_most(std::fabs(losses.at("loss") - 2), 1e-12, "reports are weighted sums");
  check(losses.at("other") == 3 && losses.size() == 2, "by name");
}

// Methods are found by name, and say which option they lack or do not know.
void test_options() {
  for (const MethodInfo& info : methods()) {
    const Object all = method_options(info.name);
    for (const auto& [key, value] : all) {
      Object without = all;
      without.erase(key);
      std::string message;
      try {
        const Value options(without), model(Object{{"arch", "r3d_10"}, {"width", 0.125}});
        create_method(find_method(info.name), options, model, 3, Placement{});
      } catch (const Error& e) {
        message = e.what();
      }
      check(
          message.find('"' + key + '"') != std::string::npos && message.find(info.file) != std::string::npos,
          info.name + " without " + key + ": " + message);
    }
    Object more = all;
    more["temprature"] = 1;
    check(code_of([&] {
            const Value options(more), model(Object{{"arch", "r3d_10"}, {"width", 0.125}});
            create_method(find_method(info.name), options, model, 3, Placement{});
          }) == "ERR_VSSL_INVALID_ARGUMENT",
          info.name + " knows its options");
  }
}

// Weights to begin with reach an encoder and its momentum copy, and nothing else.
void test_initial_weights() {
  Session session(session_spec({{"method", "moco"}, {"options", Object{{"queue", 16}}}}));
  const auto weights = Session(session_spec({{"seed", 9}})).export_encoder("encoder");
  const auto head = find(session.export_state(), "model/head/linear.0.weight").data;
  session.load_weights("query", weights);
  check(same_bytes(session.export_encoder("query"), weights), "the encoder has the weights");
  check(same_bytes(session.export_encoder("key"), weights), "and so has its momentum copy");
  check(find(session.export_state(), "model/head/linear.0.weight").data == head, "its head has its own");
  auto fewer = weights;
  fewer.pop_back();
  check(code_of([&] { session.load_weights("query", fewer); }) == "ERR_VSSL_WEIGHTS",
        "missing tensors are refused");
}

}  // namespace
}  // namespace vssl::engine::testing

int main() {
  using namespace vssl::engine::testing;
  vssl::engine::set_threads(2);
  for (auto* test : {test_contrast, test_own_negatives, test_special_cases, test_key_ring, test_stages,
                     test_step_context, test_options, test_initial_weights}) {
    try {
      test();
    } catch (const std::exception& e) {
      vssl::check(false, std::string("threw: ") + e.what());
    }
  }
  return vssl::finish();
}
