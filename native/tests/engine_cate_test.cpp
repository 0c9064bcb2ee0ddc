// CATE against its formulas: head, losses and readings written out with loops in double precision, gradients
// by finite differences of those, and what a head can tell when the clips tell nothing.
#include <algorithm>

#include "../engine/blocks/heads.h"
#include "../engine/runtime.h"
#include "engine_methods.h"

namespace vssl::engine::testing {
namespace {

using Row = std::vector<double>;
using Matrix = std::vector<Row>;

constexpr int kSeed = 3;
constexpr double kTau = 0.2;
constexpr int kColumns = 6;  // time, four of a box, flip

// Encodings (2, n, 6) as clip plans give them: shifts and boxes change their sign with the direction, the
// flip does not.
std::vector<double> drawn_codes(int64_t n, uint64_t seed) {
  const CounterRandom random(seed, "codes");
  std::vector<double> codes(2 * n * kColumns);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t c = 0; c < kColumns; ++c) {
      const auto value = static_cast<float>(2 * random.uniform(i * kColumns + c) - 1);
      const bool flip = c == kColumns - 1;
      codes[i * kColumns + c] = flip ? value > 0 : value;
      codes[(n + i) * kColumns + c] = flip ? value > 0 : -value;
    }
  return codes;
}

// Codes (2, n, 6) as the batch has them, (n, 2, 6).
video::ViewBuffer as_side(const std::vector<double>& codes, int64_t n) {
  video::ViewBuffer side;
  side.name = "encodings";
  side.shape = {n, 2, kColumns};
  auto* out = new float[codes.size()];
  side.data.reset(out, std::default_delete<float[]>());
  for (int64_t i = 0; i < n; ++i)
    for (int64_t way = 0; way < 2; ++way)
      for (int64_t c = 0; c < kColumns; ++c) *out++ = static_cast<float>(codes[(way * n + i) * kColumns + c]);
  return side;
}

video::Batch told(video::Batch batch, const std::vector<double>& codes) {
  batch.side = {as_side(codes, static_cast<int64_t>(codes.size()) / (2 * kColumns))};
  return batch;
}

Matrix rows_of(const Tensor& x) {
  Matrix out;
  for (int64_t i = 0; i < x.size(0); ++i) {
    const Tensor row = x[i].detach().to(at::kDouble).contiguous();
    out.emplace_back(row.const_data_ptr<double>(), row.const_data_ptr<double>() + row.numel());
  }
  return out;
}

// The transformer head with loops, in double. Parameters by name, as checkpoints have them.
struct TwinHead {
  std::map<std::string, Row> p;
  int64_t width = 16, heads = 2, layers = 2;

  explicit TwinHead(const Weights& weights) {
    for (const auto& entry : weights.entries()) p[entry.name] = rows_of(entry.tensor.reshape({1, -1}))[0];
  }
  const Row& at(const std::string& name) const { return p.at(name); }

  Row linear(const std::string& name, const Row& x, bool bias = true) const {
    const Row& w = at(name + ".weight");
    Row y(w.size() / x.size(), 0);
    for (size_t o = 0; o < y.size(); ++o) {
      if (bias) y[o] = at(name + ".bias")[o];
      for (size_t i = 0; i < x.size(); ++i) y[o] += w[o * x.size() + i] * x[i];
    }
    return y;
  }
  Row norm(const std::string& name, const Row& x) const {
    double mean = 0, square = 0;
    for (const double v : x) mean += v / static_cast<double>(x.size());
    for (const double v : x) square += (v - mean) * (v - mean) / static_cast<double>(x.size());
    Row y(x.size());
    for (size_t i = 0; i < x.size(); ++i)
      y[i] = (x[i] - mean) / std::sqrt(square + 1e-5) * at(name + ".weight")[i] + at(name + ".bias")[i];
    return y;
  }
  static void add(Row& x, const Row& y) {
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }

  Row visual(const Row& feature) const {
    Row x = linear("visual", feature, false);
    add(x, at("visual.type"));
    return x;
  }

  Matrix attention(const std::string& block, const Matrix& x) const {
    Matrix qkv, out;
    for (const Row& row : x) qkv.push_back(linear(block + ".qkv", norm(block + ".norm1", row)));
    const int64_t each = width / heads;
    for (size_t t = 0; t < x.size(); ++t) {
      Row mixed(width, 0);
      for (int64_t h = 0; h < heads; ++h) {
        Row score(x.size(), 0);
        double sum = 0;
        for (size_t s = 0; s < x.size(); ++s) {
          for (int64_t i = h * each; i < (h + 1) * each; ++i) score[s] += qkv[t][i] * qkv[s][width + i];
          score[s] = std::exp(score[s] / std::sqrt(static_cast<double>(each)));
          sum += score[s];
        }
        for (size_t s = 0; s < x.size(); ++s)
          for (int64_t i = h * each; i < (h + 1) * each; ++i)
            mixed[i] += score[s] / sum * qkv[s][2 * width + i];
      }
      out.push_back(linear(block + ".mix", mixed));
    }
    return out;
  }

  // A feature and its six numbers (none: no tokens but the visual one) -> a unit vector.
  Row embed(const Row& feature, const double* code) const {
    Matrix x{visual(feature)};
    if (code) {
      x.push_back(linear("token.time", {code[0]}, false));
      x.push_back(linear("token.crop", {code[1], code[2], code[3], code[4]}, false));
      const Row& table = at("token.flip.table");
      const auto row = table.begin() + static_cast<int64_t>(code[5]) * width;
      x.emplace_back(row, row + width);
      add(x[1], at("token.time.type"));
      add(x[2], at("token.crop.type"));
      add(x[3], at("token.flip.type"));
    }
    for (int64_t b = 0; b < layers; ++b) {
      const std::string block = "block." + std::to_string(b);
      const Matrix mixed = attention(block, x);
      for (size_t t = 0; t < x.size(); ++t) add(x[t], mixed[t]);
      for (Row& row : x) {
        Row hidden = linear(block + ".up", norm(block + ".norm2", row));
        for (double& v : hidden) v = 0.5 * v * (1 + std::erf(v / std::sqrt(2.0)));
        add(row, linear(block + ".down", hidden));
      }
    }
    Row z = linear("output", norm("norm", x[0]));
    double square = 0;
    for (const double v : z) square += v * v;
    for (double& v : z) v /= std::sqrt(square);
    return z;
  }
};

double dot(const Row& a, const Row& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// -log of the share that the row of the anchor's pair has among all other rows.
double anchor_loss(const Matrix& z, size_t anchor) {
  const size_t n = z.size() / 2, own = (anchor + n) % (2 * n);
  double sum = 0;
  for (size_t k = 0; k < z.size(); ++k)
    if (k != anchor) sum += std::exp(dot(z[anchor], z[k]) / kTau);
  return std::log(sum) - dot(z[anchor], z[own]) / kTau;
}

double nt_xent_of(const Matrix& z) {
  double sum = 0;
  for (size_t i = 0; i < z.size(); ++i) sum += anchor_loss(z, i) / static_cast<double>(z.size());
  return sum;
}

// The loss of a reading: "A", "B", "guard" (`anchors` pairs), "constant", "bare".
double loss_of(const std::string& mode, const TwinHead& head, const Matrix& f,
               const std::vector<double>& codes, size_t anchors) {
  const size_t n = f.size() / 2;
  const std::vector<double> none(kColumns, 0);
  const auto code = [&](size_t view, size_t i) { return &codes[(view * n + i) * kColumns]; };
  const auto all = [&](const std::function<const double*(size_t view, size_t i)>& of) {
    Matrix z;
    for (size_t view = 0; view < 2; ++view)
      for (size_t i = 0; i < n; ++i) z.push_back(head.embed(f[view * n + i], of(view, i)));
    return z;
  };
  if (mode == "bare") return nt_xent_of(all([](size_t, size_t) { return nullptr; }));
  if (mode == "constant") return nt_xent_of(all([&](size_t, size_t) { return none.data(); }));
  if (mode == "B") return nt_xent_of(all(code));
  if (mode == "A")
    return 0.5 * (nt_xent_of(all([&](size_t v, size_t i) { return v == 0 ? code(v, i) : none.data(); })) +
                  nt_xent_of(all([&](size_t v, size_t i) { return v == 1 ? code(v, i) : none.data(); })));
  double sum = 0;
  for (size_t i = 0; i < anchors; ++i) {
    const Matrix z = all([&](size_t v, size_t) { return code(v, i); });
    sum += (anchor_loss(z, i) + anchor_loss(z, i + n)) / static_cast<double>(2 * anchors);
  }
  return sum;
}

Object options_of(const std::string& mode, int64_t anchors = 0) {
  Object o{{"temperature", kTau}, {"layers", 2}, {"heads", 2}, {"width", 16}, {"headDim", 8}};
  if (mode != "bare")
    o["tokens"] = Value::Array{Object{{"name", "time"}}, Object{{"name", "crop"}, {"size", 4}},
                               Object{{"name", "flip"}, {"size", 2}, {"table", true}}};
  o["constant"] = mode == "constant";
  o["reading"] = mode == "B" || mode == "guard" ? "B" : "A";
  o["guard"] = mode == "guard";
  o["anchors"] = anchors;
  return o;
}

// A method outside a session, and an encoder like its own.
struct Fixture : MethodAlone {
  Fixture(const Object& given, int64_t n) : MethodAlone("cate", given, kSeed), codes(drawn_codes(n, 5)) {
    twin = create_model(model, kSeed, Placement{});
    first = drawn_clips({n, 3, 4, 16, 16}, 1);
    second = (first + 0.3 * drawn({n, 3, 4, 16, 16}, 2)).contiguous(at::MemoryFormat::ChannelsLast3d);
    views = {{"view1", first, {}}, {"view2", second, {}}};
  }
  std::map<std::string, double> step(int64_t accumulate = 1) {
    told = as_side(codes, first.size(0));
    side = borrow({told}, at::kCPU);
    return MethodAlone::step(accumulate);
  }
  // Features of both views, cut into chunks as the step does.
  Tensor features(int64_t chunks = 1) const {
    Pass pass;
    pass.train = true;
    const int64_t n = first.size(0);
    std::vector<Tensor> a, b;
    for (int64_t i = 0; i < chunks; ++i) {
      const int64_t begin = n * i / chunks, end = n * (i + 1) / chunks;
      const Tensor f = twin->embed(at::cat({first.slice(0, begin, end), second.slice(0, begin, end)}), pass);
      a.push_back(f.slice(0, 0, end - begin));
      b.push_back(f.slice(0, end - begin));
    }
    return at::cat({at::cat(a), at::cat(b)});
  }
  Weights& head() { return network("head"); }

  std::unique_ptr<VideoNet> twin;
  video::ViewBuffer told;  // what `side` borrows from
  Tensor first, second;
  std::vector<double> codes;
};

// The largest difference between the gradients of two networks, relative to the norm of all of them.
double gradient_error(const Weights& found, const Weights& expected) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < found.entries().size(); ++i) {
    if (!found.entries()[i].trainable) continue;
    const Tensor f = found.entries()[i].tensor.grad().to(at::kDouble);
    const Tensor e = expected.entries()[i].tensor.grad().to(at::kDouble);
    difference += (f - e).square().sum().item<double>();
    norm += e.square().sum().item<double>();
  }
  return std::sqrt(difference / (norm + 1e-30));
}

// d loss / d features by central differences.
Tensor feature_gradient(const Tensor& features, const std::function<double(const Matrix&)>& loss) {
  Matrix f = rows_of(features);
  const Tensor out = at::empty(features.sizes());
  const double h = 1e-5;
  for (size_t i = 0; i < f.size(); ++i)
    for (size_t c = 0; c < f[i].size(); ++c) {
      const double value = f[i][c];
      f[i][c] = value + h;
      const double above = loss(f);
      f[i][c] = value - h;
      const double below = loss(f);
      f[i][c] = value;
      out.mutable_data_ptr<float>()[i * f[i].size() + c] = static_cast<float>((above - below) / (2 * h));
    }
  return out;
}

// Each parameter's gradient along two drawn directions.
void check_head_gradient(const std::string& what, const Weights& weights, const TwinHead& head,
                         const std::function<double(const TwinHead&)>& loss) {
  double norm = 0;
  for (const auto& entry : weights.entries())
    norm += entry.tensor.grad().to(at::kDouble).square().sum().item<double>();
  for (const auto& entry : weights.entries())
    for (uint64_t draw = 0; draw < 2; ++draw) {
      const Row direction = rows_of(drawn({1, entry.tensor.numel()}, 50 + draw))[0];
      const Row gradient = rows_of(entry.tensor.grad().reshape({1, -1}))[0];
      const double h = 1e-5;
      TwinHead above = head, below = head;
      for (size_t i = 0; i < direction.size(); ++i) {
        above.p[entry.name][i] += h * direction[i];
        below.p[entry.name][i] -= h * direction[i];
      }
      const double expected = (loss(above) - loss(below)) / (2 * h);
      check_at_most(std::fabs(dot(gradient, direction) - expected), 1e-4 * std::sqrt(norm) + 1e-6,
                    what + ": gradient of " + entry.name);
    }
}

void test_readings() {
  for (const std::string mode : {"A", "B", "guard", "some anchors", "constant", "bare"}) {
    const int64_t n = 5, anchors = mode == "some anchors" ? 2 : n;
    const std::string kind = mode == "some anchors" ? "guard" : mode;
    Fixture f(options_of(kind, mode == "some anchors" ? 2 : 0), n);
    const Tensor features = f.features();
    const TwinHead head(f.head());
    const auto loss = [&](const Matrix& rows) { return loss_of(kind, head, rows, f.codes, anchors); };
    const double expected = loss(rows_of(features));
    check_at_most(std::fabs(f.step().at("loss") - expected), 1e-5 * expected, mode + ": the loss");
    check_head_gradient(mode, f.head(), head, [&](const TwinHead& moved) {
      return loss_of(kind, moved, rows_of(features), f.codes, anchors);
    });
    features.backward(feature_gradient(features, loss));
    check_at_most(gradient_error(f.network("encoder"), f.twin->weights()), 1e-4,
                  mode + ": the encoder's gradient");
  }
}

void test_accumulation() {
  for (const std::string mode : {"A", "guard"}) {
    Fixture f(options_of(mode), 6);
    const Tensor features = f.features(2);
    const TwinHead head(f.head());
    const auto loss = [&](const Matrix& rows) { return loss_of(mode, head, rows, f.codes, 6); };
    const double expected = loss(rows_of(features));
    check_at_most(std::fabs(f.step(2).at("loss") - expected), 1e-5 * expected,
                  mode + ": chunks keep the negatives of the whole batch");
    features.backward(feature_gradient(features, loss));
    check_at_most(gradient_error(f.network("encoder"), f.twin->weights()), 1e-4, mode + ": and its gradient");
  }
}

void test_many_anchors() {
  // More rows of the head than are computed at once.
  const int64_t n = 80;
  Fixture f(options_of("guard"), n);
  const Matrix features = rows_of(f.features());
  const TwinHead head(f.head());
  const double expected = loss_of("guard", head, features, f.codes, n);
  check_at_most(std::fabs(f.step().at("loss") - expected), 1e-5 * expected, "many anchors: the loss");
  const Row direction = rows_of(drawn({1, 8 * 16}, 9))[0];
  double slope = 0;
  for (const auto& entry : f.head().entries())
    if (entry.name == "output.weight")
      slope = dot(rows_of(entry.tensor.grad().reshape({1, -1}))[0], direction);
  TwinHead above = head;
  for (size_t i = 0; i < direction.size(); ++i) above.p["output.weight"][i] += 1e-6 * direction[i];
  const double wanted = (loss_of("guard", above, features, f.codes, n) - expected) / 1e-6;
  check_at_most(std::fabs(slope - wanted), 1e-4 * (1 + std::fabs(wanted)), "many anchors: a gradient");
}

void test_mlp() {
  const int64_t n = 6;
  Fixture f({{"head", "mlp"}, {"temperature", kTau}, {"headHidden", 24}, {"headDim", 8}}, n);
  HeadOptions options;
  options.in = f.twin->dim();
  options.hidden = 24;
  options.layers = 2;
  options.out = 8;
  ProjectionHead head(options, kSeed, Placement{});
  Pass pass;
  pass.train = true;
  const Tensor z = head.forward(f.features(), pass).to(at::kDouble);
  const Tensor unit = z / z.norm(2, {1}, true);
  const Tensor alike = at::mm(unit, unit.t()) / kTau;
  Tensor loss = at::zeros({}, z.options());
  for (int64_t i = 0; i < 2 * n; ++i) {
    Tensor sum = at::zeros({}, z.options());
    for (int64_t k = 0; k < 2 * n; ++k)
      if (k != i) sum = sum + alike[i][k].exp();
    loss = loss + (sum.log() - alike[i][(i + n) % (2 * n)]) / (2 * n);
  }
  loss.backward();
  const auto losses = f.step();
  check_at_most(std::fabs(losses.at("loss") - loss.item<double>()), 1e-5 * loss.item<double>(),
                "a plain head: the loss");
  check_at_most(gradient_error(f.head(), head.weights()), 1e-5, "a plain head: its gradient");
  check_at_most(gradient_error(f.network("encoder"), f.twin->weights()), 1e-4,
                "a plain head: the encoder's gradient");
}

// Every clip of the batch is the same, so that visual tokens say nothing of which video a row is of: means of
// the loss and the accuracy over the last steps, when all that can be learned is how to tell encodings apart.
std::pair<double, double> blind_training(const std::string& mode, int64_t n) {
  Object options = options_of(mode, 0);
  options["width"] = 32;
  Session session(session_spec({{"method", "cate"},
                                {"options", options},
                                {"optimizer", Object{{"name", "adamw"}, {"weightDecay", 0.0}}}}));
  video::Batch batch = make_batch(n, 4, 16, 1);
  const int64_t clip = 4 * 16 * 16 * 3;
  for (auto& view : batch.views)
    for (int64_t i = 0; i < n; ++i) std::copy_n(batch.views[0].floats(), clip, view.floats() + i * clip);
  double loss = 0, accuracy = 0;
  const int steps = 150, last = 30;
  for (int i = 0; i < steps; ++i) {
    const auto losses = session.step(told(batch, drawn_codes(n, 1000 + i)), rate(2e-3)).losses;
    if (i < steps - last) continue;
    loss += losses.at("loss") / last;
    accuracy += losses.at("accuracy") / last;
  }
  return {loss, accuracy};
}

void test_leak() {
  const int64_t n = 16;
  const double chance = 1.0 / n;
  for (const std::string mode : {"A", "guard"}) {
    const auto [loss, accuracy] = blind_training(mode, n);
    check(accuracy < 1.6 * chance, mode + ": encodings alone find the pair in " + std::to_string(accuracy));
    check(loss > std::log(n) - 0.05, mode + ": and the loss stays above log N: " + std::to_string(loss));
  }
  const auto [loss, accuracy] = blind_training("B", n);
  check(accuracy > 4 * chance, "without a guard encodings alone find the pair: " + std::to_string(accuracy));
  check(loss < std::log(n) - 0.5, "and the loss falls below log N: " + std::to_string(loss));
}

void test_resume() {
  for (const std::string mode : {"A", "guard", "bare"}) {
    for (const std::string precision : {"fp32", "bf16"}) {
      const Value spec = session_spec({{"method", "cate"},
                                       {"precision", precision},
                                       {"accumulate", mode == "bare" ? 1 : 2},
                                       {"options", options_of(mode, 3)}});
      Session whole(spec), before(spec);
      const auto go = [&](Session& session, int i) {
        const video::Batch batch = make_batch(6, 4, 16, i);
        return session.step(mode == "bare" ? batch : told(batch, drawn_codes(6, i)), rate(0.02)).finite;
      };
      for (int i = 0; i < 4; ++i) check(go(whole, i), "a finite step");
      for (int i = 0; i < 2; ++i) go(before, i);
      Session after(spec);
      after.import_state(before.export_state());
      for (int i = 2; i < 4; ++i) go(after, i);
      check(same_bytes(after.export_state(), whole.export_state()),
            mode + " resumes exactly in " + precision);
    }
  }
}

void test_learning() {
  for (const std::string mode : {"A", "guard"}) {
    Session session(session_spec({{"method", "cate"},
                                  {"options", options_of(mode)},
                                  {"optimizer", Object{{"name", "adamw"}, {"weightDecay", 0.0}}}}));
    double first = 0, last = 0;
    for (int i = 0; i < 60; ++i) {
      const video::Batch batch = told(make_batch(8, 4, 16, i % 4), drawn_codes(8, i));
      const double loss = session.step(batch, rate(2e-3)).losses.at("loss");
      if (i < 4) first += loss;
      if (i >= 56) last += loss;
    }
    check(last < 0.8 * first,
          mode + " learns: " + std::to_string(first / 4) + " to " + std::to_string(last / 4));
  }
}

void test_specs() {
  const auto refused = [](Object changes) {
    Object options = options_of("A");
    for (auto& [key, value] : changes) options[key] = value;
    return code_of([&] {
             Session s(session_spec({{"method", "cate"}, {"options", options}}));
           }) == "ERR_VSSL_INVALID_ARGUMENT";
  };
  check(!refused({}), "the options of the tests are right");
  check(refused({{"heads", 3}}), "heads that do not divide the width are refused");
  check(refused({{"reading", "C"}}), "an unknown reading is refused");
  check(refused({{"tokens", Value::Array{Object{{"name", "a"}}, Object{{"name", "a"}}}}}),
        "an encoding that stands twice is refused");
  check(refused({{"queue", 5}}), "another method's option is refused");

  Session session(session_spec({{"method", "cate"}, {"options", options_of("A")}}));
  const video::Batch batch = make_batch(4, 4, 16, 1);
  const auto refused_step = [&](const video::Batch& given) {
    return code_of([&] { session.step(given, rate(0.1)); }) == "ERR_VSSL_INVALID_ARGUMENT";
  };
  check(refused_step(batch), "a step without encodings is refused");
  check(refused_step(told(batch, drawn_codes(3, 1))), "and one with encodings of another batch");
  std::vector<double> codes = drawn_codes(4, 1);
  codes[5] = 2;
  check(refused_step(told(batch, codes)), "and one that asks for a row that a table does not have");
  check(session.step(told(batch, drawn_codes(4, 1)), rate(0.1)).finite, "a right step works after them");
}

}  // namespace
}  // namespace vssl::engine::testing

int main() {
  using namespace vssl::engine::testing;
  vssl::engine::set_threads(2);
  for (auto* test : {test_readings, test_accumulation, test_many_anchors, test_mlp, test_leak, test_resume,
                     test_learning, test_specs}) {
    try {
      test();
    } catch (const std::exception& e) {
      vssl::check(false, std::string("a test threw: ") + e.what());
    }
  }
  return vssl::finish();
}
