#include "gradient_sum.h"

namespace vssl::engine {

namespace {

constexpr int64_t kBucketFloats = int64_t{25} << 18;  // 25 MB: large against what one exchange costs

Tensor place_in(const Tensor& bucket, const Tensor& parameter, int64_t offset) {
  return bucket.as_strided(parameter.sizes(), parameter.strides(), offset);
}

// Of parameters that lie side by side.
void sum_bucket(const std::vector<Tensor>& parameters, int64_t floats, Collectives& ranks) {
  Tensor bucket = at::empty({floats}, parameters[0].options().requires_grad(false));
  int64_t offset = 0;
  for (const Tensor& p : parameters) {
    const Tensor place = place_in(bucket, p, offset);
    if (p.grad().defined())
      place.copy_(p.grad());
    else
      place.zero_();
    offset += p.numel();
  }
  ranks.all_reduce(bucket);
  offset = 0;
  for (const Tensor& p : parameters) {
    p.mutable_grad() = place_in(bucket, p, offset);
    offset += p.numel();
  }
}

}  // namespace

void sum_gradients(const std::vector<Tensor>& parameters, Collectives& ranks) {
  if (ranks.size() == 1 || parameters.empty()) return;
  const at::NoGradGuard no_grad;
  Tensor has = at::zeros({static_cast<int64_t>(parameters.size())}, at::kFloat);
  float* const marks = has.mutable_data_ptr<float>();
  for (size_t i = 0; i < parameters.size(); ++i) marks[i] = parameters[i].grad().defined() ? 1.0f : 0.0f;
  ranks.all_reduce(has);
  std::vector<Tensor> bucket;
  int64_t floats = 0;
  const auto close = [&] {
    if (!bucket.empty()) sum_bucket(bucket, floats, ranks);
    bucket.clear();
    floats = 0;
  };
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (has.const_data_ptr<float>()[i] == 0) continue;
    if (floats + parameters[i].numel() > kBucketFloats) close();
    bucket.push_back(parameters[i]);
    floats += parameters[i].numel();
  }
  close();
}

}  // namespace vssl::engine
