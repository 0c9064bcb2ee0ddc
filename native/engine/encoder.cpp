// A network alone, for embedding.
#include "backbones/video_net.h"
#include "bare_convolutions.h"
#include "errors.h"
#include "runtime.h"

namespace vssl::engine {

struct Encoder::Impl : TakingTurns {
  Placement placement;
  at::ScalarType compute;
  std::unique_ptr<VideoNet> net;
  KeptStats stats;                                 // weights keep their sizes
  int64_t calibration_pass = -1;                   // passes since calibrate_begin; -1: not calibrating
  std::unique_ptr<BareConvolutions> convolutions;  // those of clips of this size
  std::vector<int64_t> convolutions_of;

  explicit Impl(const Value& spec) : TakingTurns(placement_from(spec).device) {
    placement = placement_from(spec);
    compute = compute_type_from(spec.get_string("precision", "fp32"), placement.device);
    Value::Object model;
    if (!spec.is_null()) model = spec.as_object("encoder");
    for (const char* key : {"seed", "device", "precision", "channelsLast"}) model.erase(key);
    const auto seed = static_cast<uint64_t>(int_in(spec, "seed", 0, 0, int64_t{1} << 53));
    net = create_model(Value(model), seed, placement);
    MemoryStats now;
    for (const auto& entry : net->weights().entries()) count_tensor(now, entry.tensor);
    stats.set(now);
  }

  // Clips that are placed.
  std::vector<float> embed(const Tensor& clips, at::ScalarType type, const Triple& grid = {1, 1, 1}) {
    if (calibration_pass >= 0) throw_invalid("this encoder is being calibrated; call calibrate_end first");
    Pass pass;
    pass.compute = type;
    return to_floats(grid == Triple{1, 1, 1} ? net->embed(clips, pass) : net->embed_grid(clips, pass, grid));
  }

  Tensor clips(const video::Batch& batch, const std::string& view) const {
    return clips_of(borrow_clips(batch, view, placement.device), placement, compute);
  }

  std::vector<ConvolutionTime> time_convolutions(const Tensor& clips) {
    if (!convolutions || clips.sizes() != convolutions_of) {
      std::vector<ConvCall> calls;
      Pass pass;
      pass.compute = compute;
      pass.record = &calls;
      net->features(clips, pass);
      convolutions = std::make_unique<BareConvolutions>(calls, compute, placement);
      convolutions_of = clips.sizes().vec();
    }
    return convolutions->time();
  }
};

Encoder::Encoder(const Value& spec) {
  begun_on(spec, [&] { impl_ = std::make_unique<Impl>(spec); });
}

Encoder::~Encoder() = default;

int64_t Encoder::dim() const { return impl_->net->dim(); }

std::vector<NamedTensor> Encoder::weights() {
  return impl_->turn(false, [&] { return impl_->net->weights().save(); });
}

void Encoder::load_weights(const std::vector<NamedTensor>& weights) {
  impl_->turn(false, [&] { impl_->net->weights().load(weights); });
}

void Encoder::calibrate_begin() {
  impl_->turn(false, [&] { impl_->calibration_pass = 0; });
}

void Encoder::calibrate(const video::Batch& batch, const std::string& view) {
  impl_->turn(false, [&] {
    if (impl_->calibration_pass < 0) throw_invalid("call calibrate_begin before calibrate");
    Pass pass;
    pass.train = true;
    pass.update_stats = true;
    pass.stats_momentum = 1.0 / static_cast<double>(impl_->calibration_pass + 1);
    pass.compute = impl_->compute;
    impl_->net->embed(impl_->clips(batch, view), pass);
    impl_->net->weights().changed();  // its statistics moved
    ++impl_->calibration_pass;
  });
}

void Encoder::calibrate_end() {
  impl_->turn(false, [&] { impl_->calibration_pass = -1; });
}

std::vector<float> Encoder::embed(const video::Batch& batch, const std::string& view,
                                  const std::array<int64_t, 3>& grid) {
  return impl_->turn(false, [&] { return impl_->embed(impl_->clips(batch, view), impl_->compute, grid); });
}

std::vector<ConvolutionTime> Encoder::time_convolutions(const video::Batch& batch, const std::string& view) {
  return impl_->turn(false, [&] { return impl_->time_convolutions(impl_->clips(batch, view)); });
}

std::vector<float> Encoder::forward(const float* clips, int64_t n, int64_t t, int64_t h, int64_t w) {
  return impl_->turn(false, [&] {
    if (n < 1 || t < 1 || h < 1 || w < 1)
      throw_invalid("expected clips of at least 1 x 3 x 1 x 1 x 1, got " + shape_text({n, 3, t, h, w}));
    const Tensor x =
        at::from_blob(const_cast<float*>(clips), {n, 3, t, h, w}, at::TensorOptions().dtype(at::kFloat));
    return impl_->embed(place_clips(x, impl_->placement, at::kFloat), at::kFloat);
  });
}

MemoryStats Encoder::stats() { return impl_->stats.get(); }

}  // namespace vssl::engine
