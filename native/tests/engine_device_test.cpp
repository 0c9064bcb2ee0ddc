// The engine on another device than the CPU: every method's step, accumulation, checkpoint, resume, export
// and embedding give what they give on the CPU.
//
//   engine_device_test [DEVICE [steps]]    "protected" (protected_device.h) unless given; "cuda" on a machine
//   with a
//                                          GPU. With `steps` 20 steps of each method instead of the other
//                                          checks
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "../video/packed.h"
#include "engine_cases.h"
#include "protected_kernels.h"

namespace vssl::engine::testing {
namespace {

std::string device = "protected";

// How a child ends that runs `body`: the signal, or 0.
int signal_of(const std::function<void()>& body) {
  std::fflush(stdout);
  const pid_t pid = fork();
  if (pid == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void test_device_itself() {
  const Tensor x = at::ones({4, 5}).to(protected_device), y = at::full({4, 5}, 2.0).to(protected_device);
  check(at::equal((x + y * x.t().reshape({4, 5})).to(at::kCPU), at::full({4, 5}, 3.0)), "operations work");
  check(signal_of([&] { static_cast<volatile const float*>(x.const_data_ptr())[0]; }) == SIGSEGV,
        "code of the host that reads the device's memory dies");
  check(signal_of([&] { std::memset(x.mutable_data_ptr(), 0, 4); }) == SIGSEGV,
        "and so does one that writes it");
  const auto refuses = [](const std::function<void()>& body) {
    try {
      body();
    } catch (const c10::Error&) {
      return true;
    }
    return false;
  };
  check(refuses([&] { at::add(x, at::ones({4, 5})); }), "tensors of both devices do not meet");
  check(refuses([&] { at::mm(at::ones({3, 4}), x); }), "not in a product either");
  check(!refuses([&] { at::add(x, at::full({}, 2.0)); }), "single numbers may");
  const Tensor gradient = at::ones({4, 5}).to(protected_device).requires_grad_();
  (gradient * y).sum().backward();
  check(at::equal(gradient.grad().to(at::kCPU), at::full({4, 5}, 2.0)), "gradients flow");
}

void test_names() {
  const auto code = [](const std::string& name) { return code_of([&] { device_from(name); }); };
  check(device_from("cpu").is_cpu() && code("gpu") == "ERR_VSSL_INVALID_ARGUMENT", "devices have names");
  check(device_from(device) == device_from(device + ":0"), "and numbers");
  for (const char* wrong : {":", ":x", ":-1", ":1x", ":999"})
    check(code(device + wrong) == "ERR_VSSL_INVALID_ARGUMENT", "not a number: " + device + wrong);
  check(code(device + ":100") == "ERR_VSSL_CUDA_UNAVAILABLE", "a device that is not there");
  if (device == "protected") check(code("cuda") == "ERR_VSSL_CUDA_UNAVAILABLE", "no CUDA in a CPU build");
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double apart = a.size() == b.size() ? 0 : NAN, norm = 0;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    apart += (a[i] - b[i]) * static_cast<double>(a[i] - b[i]);
    norm += static_cast<double>(b[i]) * b[i];
  }
  return std::sqrt(apart / (norm + 1e-30));
}

// Floats of all tensors whose names begin so.
std::vector<float> floats_under(const std::vector<NamedTensor>& state, const std::string& prefix) {
  std::vector<float> all;
  for (const NamedTensor& tensor : state) {
    if (tensor.name.rfind(prefix, 0) != 0 || tensor.dtype != "F32") continue;
    const std::vector<float> values = floats_of(tensor);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

Value spec_on(const Case& c, const std::string& where, const Object& changes) {
  return session_spec(merged({{"method", c.method}, {"options", c.options}, {"device", where}}, changes));
}

struct Steps {
  std::vector<StepResult> results;
  std::vector<NamedTensor> state;
};

Steps stepped(Session& session, const Case& c, int64_t from, int64_t to) {
  Steps out;
  for (int64_t i = from; i < to; ++i)
    out.results.push_back(session.step(batch_of(c, 7 + i), numbers_of(c, i, 0.01)));
  out.state = session.export_state();
  return out;
}

// `rounding`: how far the first loss may be.
void compare(const Steps& got, const Steps& expected, const std::string& what, double rounding = 1e-5) {
  for (size_t i = 0; i < got.results.size(); ++i) {
    const StepResult &a = got.results[i], &b = expected.results[i];
    check(a.finite && a.losses.size() == b.losses.size(), what + ": steps are finite");
    for (const auto& [name, value] : b.losses)
      check_at_most(std::fabs(a.losses.at(name) - value), 2e-3 * std::max(1.0, std::fabs(value)),
                    what + ": " + name + " of step " + std::to_string(i));
    check_at_most(std::fabs(a.grad_norm - b.grad_norm), 2e-2 * b.grad_norm, what + ": gradient norm");
  }
  check_at_most(std::fabs(got.results[0].losses.at("loss") - expected.results[0].losses.at("loss")),
                rounding * std::max(1.0, std::fabs(expected.results[0].losses.at("loss"))),
                what + ": first loss");
  for (const char* part : {"model/", "optim/", "method/"})
    check_at_most(distance(floats_under(got.state, part), floats_under(expected.state, part)), 2e-2,
                  what + ": " + part + " after the steps");
}

void test_method(const Case& c, const Object& changes, const std::string& what) {
  Session here(spec_on(c, "cpu", changes)), there(spec_on(c, device, changes));
  check(same_bytes(here.export_state(), there.export_state()), what + ": both begin alike");
  const Steps expected = stepped(here, c, 0, 2);
  const Steps got = stepped(there, c, 0, 2);
  // BatchNorm over two values a channel makes of a rounding what it likes: there the first step says it all.
  if (c.options.count("normGroups"))
    compare({{got.results[0]}, {}}, {{expected.results[0]}, {}}, what);
  else
    compare(got, expected, what);
  for (const StepResult& step : got.results)
    check(step.forward_seconds > 0 && step.backward_seconds > 0, what + ": its parts have times");
  check(there.stats().device_bytes > 0 && here.stats().device_bytes == 0, what + ": memory is the device's");

  // A checkpoint goes on with the same bits; the CPU can go on from it too.
  Session resumed(spec_on(c, device, changes)), moved(spec_on(c, "cpu", changes));
  resumed.import_state(got.state);
  moved.import_state(got.state);
  const Steps whole = stepped(there, c, 2, 3);
  check(same_bytes(stepped(resumed, c, 2, 3).state, whole.state), what + ": resumed, the same bytes");
  if (c.options.count("normGroups") == 0)
    compare(stepped(moved, c, 2, 3), whole, what + ", on the CPU from there", 1e-4);

  const std::string encoder = there.encoder_names()[0];
  const std::vector<float> features = there.embed(batch_of(c, 90), batch_of(c, 90).views[0].name, encoder);
  Object spec = there.encoder_spec(encoder).as_object("spec");
  const auto embedded = [&](const std::string& where) {
    Encoder alone(Value(merged(spec, {{"device", where}})));
    alone.load_weights(there.export_encoder(encoder));
    return alone.embed(batch_of(c, 90), batch_of(c, 90).views[0].name);
  };
  check_at_most(distance(embedded(device), features), 1e-6, what + ": exported, and embedded on the device");
  check_at_most(distance(embedded("cpu"), features), 1e-4, what + ": embedded on the CPU");
}

void test_methods() {
  for (const Case& c : cases()) {
    test_method(c, {}, c.name);
    if (c.options.count("normGroups") == 0) test_method(c, {{"accumulate", 2}}, c.name + " in two chunks");
  }
  const Case cvrl = cases()[0];
  const auto optimizer = [](const Object& settings) { return Object{{"optimizer", settings}}; };
  test_method(cvrl,
              optimizer({{"name", "sgd"}, {"momentum", 0.9}, {"nesterov", true}, {"weightDecay", 0.01}}),
              "SGD after Nesterov");
  test_method(cvrl, optimizer({{"name", "lars"}, {"momentum", 0.9}, {"weightDecay", 0.01}}), "LARS");
  test_method(cvrl, optimizer({{"name", "adamw"}, {"weightDecay", 0.01}}), "AdamW");
  test_method(cvrl, {{"clipNorm", 0.5}}, "clipped");
  test_method(cvrl, {{"channelsLast", false}}, "in the other layout");
}

// The kernels of a CPU may round what the device's do not, so both are beside fp32.
void test_bf16() {
  const Case c = cases()[1];
  for (const int seed : {7, 8, 9}) {
    const auto loss = [&](const std::string& where, const Object& settings) {
      Session session(spec_on(c, where, settings));
      return session.step(batch_of(c, seed), numbers_of(c, 0, 0.01)).losses.at("loss");
    };
    const double exact = loss(device, {});
    for (const auto& where : {std::string("cpu"), std::string(device)}) {
      check_at_most(std::fabs(loss(where, {{"precision", "bf16"}}) - exact), 0.1,
                    "SimCLR in bf16 on " + where + ", batch " + std::to_string(seed));
    }
  }
}

// Gradients within fp16 layers are scaled, all that is seen of them is not.
void test_fp16() {
  check(code_of([] {
          Session(spec_on(cases()[0], "cpu", {{"precision", "fp16"}}));
        }) == "ERR_VSSL_INVALID_ARGUMENT",
        "fp16 is not for the CPU");
  for (const Case& c : cases()) {
    Session exact(spec_on(c, device, {})), half(spec_on(c, device, {{"precision", "fp16"}}));
    const StepResult expected = exact.step(batch_of(c, 7), numbers_of(c, 0, 0.05));
    StepResult got = half.step(batch_of(c, 7), numbers_of(c, 0, 0.05));
    for (int i = 0; got.overflow && i < 16; ++i) got = half.step(batch_of(c, 7), numbers_of(c, 0, 0.05));
    check(got.finite && !got.overflow, c.name + " in fp16 takes a step");
    check_at_most(std::fabs(got.losses.at("loss") - expected.losses.at("loss")),
                  0.05 * std::fabs(expected.losses.at("loss")), c.name + ": its loss");
    check_at_most(std::fabs(got.grad_norm - expected.grad_norm), 0.25 * expected.grad_norm,
                  c.name + ": its gradient");
    check_at_most(
        distance(floats_under(half.export_state(), "optim/"), floats_under(exact.export_state(), "optim/")),
        0.5, c.name + ": its gradient's direction");
  }
}

// A scale beyond what the gradients bear: the step is left out, and the run goes on with a smaller one.
void test_overflow() {
  const Case c = cases()[1];
  Session session(spec_on(c, device, {{"precision", "fp16"}}));
  while (session.step(batch_of(c, 7), numbers_of(c, 0, 0.05)).overflow) {
  }
  auto state = session.export_state();
  const double large = std::ldexp(1.0, 60);
  for (NamedTensor& tensor : state)
    if (tensor.name == "counter/gradientScale") std::memcpy(tensor.data.data(), &large, sizeof large);
  session.import_state(state);
  const StepResult lost = session.step(batch_of(c, 8), numbers_of(c, 1, 0.05));
  check(!lost.finite && lost.overflow, "an overflow is told");
  const auto after = session.export_state();
  for (size_t i = 0; i < state.size(); ++i)
    if (state[i].name.rfind("counter/", 0) != 0)
      check(state[i].data == after[i].data, "nothing moved: " + state[i].name);
  double scale = 0;
  std::memcpy(&scale, find(after, "counter/gradientScale").data.data(), sizeof scale);
  check(scale == large / 2, "the scale is half of what it was");
  int64_t left_out = 0;
  StepResult next = lost;
  for (; !next.finite && next.overflow && left_out < 70; ++left_out)
    next = session.step(batch_of(c, 9), numbers_of(c, 2, 0.05));
  check(next.finite, "the run goes on, after " + std::to_string(left_out) + " steps");
  video::Batch broken = batch_of(c, 10);
  broken.views[0].floats()[5] = std::numeric_limits<float>::quiet_NaN();
  const StepResult bad = session.step(broken, numbers_of(c, 3, 0.05));
  check(!bad.finite && !bad.overflow, "a loss that is not finite is not the scale's fault");
}

// Stages that are computed again give the same bits.
void test_checkpointed(const std::string& where) {
  for (const Case& c : cases()) {
    for (const int64_t accumulate : {1, 2}) {
      if (accumulate > 1 && c.options.count("normGroups")) continue;  // groups of one sample
      const Object changes{{"accumulate", accumulate}};
      Session plain(spec_on(c, where, changes)),
          again(spec_on(c, where, merged(changes, {{"checkpoint", "stage"}})));
      check(same_bytes(stepped(plain, c, 0, 2).state, stepped(again, c, 0, 2).state),
            c.name + " on " + where + ", checkpointed: the same bytes");
    }
  }
  check(code_of([&] {
          Session(spec_on(cases()[0], where, {{"checkpoint", "all"}}));
        }) == "ERR_VSSL_INVALID_ARGUMENT",
        "unknown checkpoint");
}

// Clips of the view's shape that are still to be made, of pictures in all forms and with all operations.
video::ViewBuffer packed_like(const video::ViewBuffer& view, uint64_t seed) {
  using namespace video;
  ViewBuffer out{view.name, view.dtype, view.shape, view.rows, {}, {}};
  out.packed = std::make_shared<PackedView>();
  const CounterRandom random(seed, view.name.c_str());
  for (int64_t n = 0; n < view.shape[0]; ++n) {
    ClipPlan plan;
    plan.height = static_cast<int>(view.shape[2]);
    plan.width = static_cast<int>(view.shape[3]);
    std::vector<PicturePtr> pictures;
    std::vector<uint8_t> rgb(21 * 27 * 3);
    for (int64_t t = 0; t < view.shape[1]; ++t) {
      plan.times.push_back(static_cast<double>(t));
      for (size_t i = 0; i < rgb.size(); ++i)
        rgb[i] = static_cast<uint8_t>(255 * random.uniform((n * 100 + t) * 10000 + static_cast<int64_t>(i)));
      pictures.push_back(picture_from_rgb(rgb.data(), 21, 27, 1));
    }
    FrameAugment a;
    a.x0 = 0.1;
    a.y1 = 0.9;
    a.flip = n % 2 == 0;
    a.color = {{ColorKind::kHue, 0.1f}, {ColorKind::kContrast, 1.3f}, {ColorKind::kSaturation, 0.7f}};
    a.gray = n % 4 == 3;
    a.blur = n % 3 == 0 ? 0.8 : 0;
    a.blur_radius = 2;
    plan.augment = {a};
    for (int c = 0; c < 3; ++c) plan.mean[c] = 0.45f, plan.std[c] = 0.25f;
    std::vector<uint8_t> scratch;
    out.packed->clips.push_back(pack_clip(pictures, plan, scratch));
  }
  return out;
}

// The same clips, made on the host.
video::Batch made(const video::Batch& packed) {
  video::Batch out = packed;
  for (video::ViewBuffer& view : out.views) {
    const video::ViewBuffer before = view;
    if (!before.packed) continue;
    view.packed = nullptr;
    view.allocate();
    before.copy_to(view.data.get());
  }
  return out;
}

// Decoded samples that the device makes clips of: the same bytes as from clips that come as floats.
void test_packed(const std::string& where) {
  for (const Case& c : cases()) {
    for (const int64_t accumulate : {1, 2}) {
      if (accumulate > 1 && c.options.count("normGroups")) continue;  // groups of one sample
      const std::string what = c.name + " on " + where + ", packed";
      const Object changes{{"accumulate", accumulate}};
      Session ready(spec_on(c, where, changes)), packs(spec_on(c, where, changes));
      for (uint64_t i = 0; i < 2; ++i) {
        video::Batch batch = batch_of(c, 7 + i);
        for (video::ViewBuffer& view : batch.views)
          if (view.shape.size() == 5) view = packed_like(view, i);
        if (i == 1) packs.prepare(batch);
        const Value numbers = numbers_of(c, static_cast<int64_t>(i), 0.01);
        const StepResult expected = ready.step(made(batch), numbers), got = packs.step(batch, numbers);
        check(got.finite && got.losses == expected.losses, what + ": the same losses");
        const std::string view = batch.views[0].name, encoder = packs.encoder_names()[0];
        check(packs.embed(batch, view, encoder) == ready.embed(made(batch), view, encoder),
              what + ": the same features");
      }
      check(same_bytes(packs.export_state(), ready.export_state()), what + ": the same bytes");
    }
  }
}

// A step that is recorded and done again gives the bytes of one that is not; another shape is recorded anew.
void test_recorded() {
  for (const char* const name : {"cvrl", "simclr"}) {
    for (const int64_t accumulate : {1, 2}) {
      const Case c{name, name, {}};
      const std::string what = c.name + ", recorded";
      const Object changes{{"accumulate", accumulate}};
      Session plain(spec_on(c, device, changes)),
          recorded(spec_on(c, device, merged(changes, {{"graph", true}})));
      const int before = ProtectedGraph::replays;
      for (uint64_t i = 0; i < 12; ++i) {
        const bool other = i == 6;  // one batch that is smaller
        const video::Batch batch = other ? make_batch(kSamples - 2, 4, 16, i) : batch_of(c, 7 + i);
        const Value numbers = numbers_of(c, static_cast<int64_t>(i), 0.01 / static_cast<double>(i + 1));
        const StepResult expected = plain.step(batch, numbers), got = recorded.step(batch, numbers);
        check(got.finite && got.losses == expected.losses && got.grad_norm == expected.grad_norm,
              what + ": step " + std::to_string(i));
        if (i == 4) {  // what reads the weights in between is not in the recording's way
          check(recorded.embed(batch, "view1", "encoder") == plain.embed(batch, "view1", "encoder"),
                what + ": the same features");
        }
      }
      check(same_bytes(recorded.export_state(), plain.export_state()), what + ": the same bytes");
      if (device == "protected") check(ProtectedGraph::replays > before + 2, what + ": it was done again");
      video::Batch broken = batch_of(c, 9);
      broken.views[0].floats()[5] = std::numeric_limits<float>::quiet_NaN();
      check(!recorded.step(broken, numbers_of(c, 1, 0.05)).finite, what + ": NaN is seen");
      check(same_bytes(recorded.export_state(), plain.export_state()), what + ": and leaves no trace");
    }
  }
  const auto refused = [](const Case& c, const Object& changes) {
    return code_of([&] {
             Session(spec_on(c, device, merged(changes, {{"graph", true}})));
           }) == "ERR_VSSL_INVALID_ARGUMENT";
  };
  check(refused(cases()[2], {}) && refused(cases()[0], {{"precision", "fp16"}}), "steps that do not repeat");
}

// At the start a full device is one that cannot be used; in mid-run it is out of memory, and nothing is lost.
void test_full() {
  const Case c = cases()[0];
  Session session(spec_on(c, device, {}));
  session.step(batch_of(c, 7), numbers_of(c, 0, 0.05));
  const auto before = session.export_state();
  protected_is_full = true;
  check(code_of([&] { Session(spec_on(c, device, {})); }) == "ERR_VSSL_CUDA_UNAVAILABLE", "no session");
  check(code_of([&] {
          Encoder(Value(Object{{"arch", "r3d_10"}, {"width", 0.125}, {"device", device}}));
        }) == "ERR_VSSL_CUDA_UNAVAILABLE",
        "no encoder");
  check(code_of([&] { session.step(batch_of(c, 8), numbers_of(c, 1, 0.05)); }) == "ERR_VSSL_OUT_OF_MEMORY",
        "no step");
  protected_is_full = false;
  check(same_bytes(session.export_state(), before), "and the session is as it was");
}

void test_not_finite() {
  const Case c = cases()[0];
  Session session(spec_on(c, device, {}));
  session.step(batch_of(c, 7), numbers_of(c, 0, 0.05));
  const auto before = session.export_state();
  video::Batch broken = batch_of(c, 8);
  broken.views[0].floats()[5] = std::numeric_limits<float>::quiet_NaN();
  check(!session.step(broken, numbers_of(c, 1, 0.05)).finite, "NaN is seen");
  check(same_bytes(session.export_state(), before), "and leaves no trace");
}

void test_calibration() {
  const Object spec{{"arch", "r3d_10"}, {"width", 0.125}, {"seed", 8}};
  Encoder here{Value(spec)}, there{Value(merged(spec, {{"device", device}}))};
  for (Encoder* encoder : {&here, &there}) {
    encoder->calibrate_begin();
    for (uint64_t i = 0; i < 3; ++i) encoder->calibrate(make_batch(4, 4, 16, i, 1), "view1");
    encoder->calibrate_end();
  }
  const auto batch = make_batch(4, 4, 16, 9, 1);
  check_at_most(distance(there.embed(batch, "view1"), here.embed(batch, "view1")), 1e-4, "calibrated alike");
}

// After many steps roundings have grown: no farther from the CPU than four times what two of its own runs are
// apart.
void test_many_steps(int64_t steps) {
  for (const Case& c : cases()) {
    Session here(spec_on(c, "cpu", {})), near(spec_on(c, "cpu", {})), there(spec_on(c, device, {}));
    nudge(near);
    const auto expected = floats_under(stepped(here, c, 0, steps).state, "model/");
    const double apart = distance(floats_under(stepped(near, c, 0, steps).state, "model/"), expected);
    check_at_most(distance(floats_under(stepped(there, c, 0, steps).state, "model/"), expected), 4 * apart,
                  c.name + ": weights after " + std::to_string(steps) + " steps");
  }
}

}  // namespace
}  // namespace vssl::engine::testing

int main(int argc, char** argv) {
  using namespace vssl;
  using namespace vssl::engine;
  using namespace vssl::engine::testing;
  if (argc > 1) device = argv[1];
  if (device != "protected" && code_of([] { device_from(device); }) != "") {
    std::printf("no usable device %s\n", device.c_str());
    return vssl::finish(1);
  }
  if (device == "protected") {
    add_protected_device();
    test_device_itself();
  }
  if (argc > 2) {
    test_many_steps(20);
    return vssl::finish();
  }
  test_names();
  check(self_test(device) == "", "the self-test of convolutions passes");
  test_calibration();
  test_methods();
  test_bf16();
  test_fp16();
  test_overflow();
  test_packed("cpu");
  test_packed(device);
  test_checkpointed("cpu");
  test_checkpointed(device);
  test_recorded();
  test_not_finite();
  if (device == "protected") test_full();
  return vssl::finish();
}
