#include "conv_norm.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <mutex>

#include "../../common/ending.h"
#include "few_channels.h"
#include "new_calls.h"
#include "wide_products.h"
#include "winograd_conv.h"

namespace vssl::engine {

namespace {

constexpr Triple kNoDilation{1, 1, 1};

using Scalars = c10::List<std::optional<at::Scalar>>;
using Name = c10::string_view;

// libtorch's convolutions with more in one pass, which its graph compiler uses too. Null where it was built
// without oneDNN.
using Pointwise = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, at::IntArrayRef,
                         at::IntArrayRef, at::IntArrayRef, int64_t, Name, Scalars, std::optional<Name>);
using PointwiseBinary = Tensor(const Tensor&, const Tensor&, const Tensor&, const std::optional<Tensor>&,
                               at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t, Name,
                               std::optional<at::Scalar>, std::optional<Name>, Scalars, std::optional<Name>);

template <typename Signature>
std::optional<c10::TypedOperatorHandle<Signature>> operation(const char* overload) {
  auto found = c10::Dispatcher::singleton().findSchema({"mkldnn::_convolution_pointwise", overload});
  if (!found) return std::nullopt;
  return found->typed<Signature>();
}

// Parts of a batch pass a layer at once (parts.h), and the first to come folds.
std::mutex folds;

const auto& pointwise() {
  static const auto found = operation<Pointwise>("");
  return found;
}
const auto& pointwise_binary() {
  static const auto found = operation<PointwiseBinary>("binary");
  return found;
}

}  // namespace

ConvNorm::ConvNorm(const Scope& conv, const std::optional<Scope>& norm, int64_t in, int64_t out,
                   Triple kernel, Triple stride, Triple padding)
    : weights_(&conv.weights()),
      stride_(stride),
      padding_(padding),
      conv_(conv, in, out, kernel, stride, padding, !norm) {
  if (norm) norm_.emplace(*norm, out);
}

Tensor ConvNorm::forward(const Tensor& x, const Pass& pass, bool relu, const Tensor& residual) const {
  const bool infers = !pass.train && !pass.record && !at::GradMode::is_enabled();
  if (infers && x.is_cpu() && x.numel() > 0 && pointwise() && pointwise_binary())
    return folded(x, pass, relu, residual);
  const Tensor y = conv_.forward(x, pass);
  if (norm_) return norm_->forward(y, pass, relu, residual);
  const Tensor sum = residual.defined() ? y + residual : y;
  return relu ? at::relu(sum) : sum;
}

ConvNorm::Way ConvNorm::way_of(const Tensor& x, bool adds) const {
  if (has_few_channels(x) && !adds) return Way::kFewChannels;
  return has_winograd_conv(x, conv_.weight().sizes(), stride_, padding_) ? Way::kWinograd : Way::kLibrary;
}

const ConvNorm::Folded& ConvNorm::fold(const Tensor& x, at::ScalarType compute, Way way) const {
  const std::lock_guard<std::mutex> lock(folds);
  Folded& f = folded_;
  if (f.version == weights_->version() && f.way == way && f.type == compute && x.sizes().slice(1) == f.input)
    return f;
  Tensor weight = conv_.weight(), bias = conv_.bias();
  if (norm_) {
    const auto [scale, shift] = norm_->running();
    weight = weight * scale.view({-1, 1, 1, 1, 1});
    bias = shift;
  }
  f = {weights_->version(), compute, way, x.sizes().slice(1).vec(), {}, bias, {}};
  if (way == Way::kFewChannels) {
    f.packed = pack_few_channels(weight);
  } else if (way == Way::kWinograd) {
    f.weight = pack_winograd_conv(weight);
  } else {
    f.weight = at::mkldnn_reorder_conv3d_weight(widened(weight.to(compute)).contiguous().to_mkldnn(),
                                                padding_, stride_, kNoDilation, 1, x.sizes());
    f.bias = widened(bias.to(compute));
  }
  return f;
}

Tensor ConvNorm::folded(const Tensor& x, const Pass& pass, bool relu, const Tensor& residual) const {
  ending::check();
  conv_.check(x);
  const Way way = way_of(x, residual.defined());
  const Folded& f = fold(x, pass.compute, way);
  const at::IntArrayRef sizes = conv_.weight().sizes();
  if (way == Way::kFewChannels) return few_channels_conv(x, f.packed, sizes, f.bias, stride_, padding_, relu);
  if (way == Way::kWinograd) return winograd_conv(x, f.weight, sizes, f.bias, padding_, relu, residual);
  const Tensor input = widened(x), added = widened(residual);
  const NewCall call(NewCall::kFolded, {input, conv_.weight()},
                     {stride_, padding_, {relu, added.defined(), input.scalar_type() == at::kFloat}});
  const Tensor y = added.defined()
                       ? pointwise_binary()->call(
                             input, added, f.weight, f.bias, padding_, stride_, kNoDilation, 1, "add", 1.0,
                             relu ? std::optional<Name>("relu") : std::nullopt, Scalars(), std::nullopt)
                       : pointwise()->call(input, f.weight, f.bias, padding_, stride_, kNoDilation, 1,
                                           relu ? "relu" : "none", Scalars(), std::nullopt);
  return y.to(pass.compute);
}

}  // namespace vssl::engine
