// The one place where the engine includes libtorch's headers.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vssl::engine {

using at::Tensor;
using NamedHandles = std::vector<std::pair<std::string, Tensor>>;

// An undefined tensor as an absent one: what ATen's operations and autograd functions expect.
inline std::optional<Tensor> given(const Tensor& tensor) {
  return tensor.defined() ? std::optional<Tensor>(tensor) : std::nullopt;
}

// "(2, 3, 8, 64, 64)" for error messages.
inline std::string shape_text(at::IntArrayRef sizes) {
  std::string text = "(";
  for (size_t i = 0; i < sizes.size(); ++i) text += (i ? ", " : "") + std::to_string(sizes[i]);
  return text + ")";
}

}  // namespace vssl::engine
