#include "weights.h"

#include <cstring>
#include <unordered_map>

#include "../common/memory.h"
#include "errors.h"
#include "random.h"

namespace vssl::engine {

namespace {

struct DtypeName {
  const char* name;
  at::ScalarType type;
};
constexpr DtypeName kDtypes[] = {{"F32", at::kFloat}, {"F64", at::kDouble}, {"BF16", at::kBFloat16},
                                 {"I64", at::kLong},  {"I32", at::kInt},    {"U8", at::kByte},
                                 {"BOOL", at::kBool}};

std::string dtype_name(at::ScalarType type) {
  for (const auto& d : kDtypes)
    if (d.type == type) return d.name;
  throw Error("ERR_VSSL_INTERNAL", "no safetensors name for this tensor type");
}

at::ScalarType dtype_of(const NamedTensor& named) {
  for (const auto& d : kDtypes)
    if (named.dtype == d.name) return d.type;
  throw Error("ERR_VSSL_WEIGHTS", "tensor " + named.name + " has dtype " + named.dtype +
                                      "; expected one of F32, F64, BF16, I64, I32, U8, BOOL");
}

}  // namespace

NamedTensor to_named(const std::string& name, const Tensor& tensor) {
  const Tensor host = tensor.detach().to(at::kCPU).contiguous();
  NamedTensor named{name, dtype_name(host.scalar_type()), host.sizes().vec(), {}};
  named.data.resize(host.nbytes());
  if (host.nbytes() > 0) std::memcpy(named.data.data(), host.const_data_ptr(), host.nbytes());
  return named;
}

Tensor from_named(const NamedTensor& named) {
  for (const int64_t size : named.shape)
    if (size < 0) throw Error("ERR_VSSL_WEIGHTS", "tensor " + named.name + " has a negative size");
  Tensor tensor = at::empty(named.shape, at::TensorOptions().dtype(dtype_of(named)));
  if (tensor.nbytes() != named.data.size())
    throw Error("ERR_VSSL_WEIGHTS", "tensor " + named.name + " of shape " + shape_text(named.shape) +
                                        " and dtype " + named.dtype + " needs " +
                                        std::to_string(tensor.nbytes()) + " bytes, got " +
                                        std::to_string(named.data.size()));
  if (!named.data.empty()) std::memcpy(tensor.mutable_data_ptr(), named.data.data(), named.data.size());
  return tensor;
}

int64_t Weights::parameter_count() const {
  int64_t count = 0;
  for (const auto& e : entries_)
    if (e.trainable) count += e.tensor.numel();
  return count;
}

Tensor Weights::add(const std::string& name, const Tensor& value, bool trainable) {
  Tensor tensor = value.to(placement_.device);
  if (tensor.dim() == 5 && placement_.channels_last)
    tensor = tensor.contiguous(at::MemoryFormat::ChannelsLast3d);
  if (trainable) tensor.set_requires_grad(true);
  entries_.push_back({name, tensor, trainable});
  bytes_ += static_cast<double>(tensor.nbytes());
  return tensor;
}

void Weights::check_room(const std::string& name, at::IntArrayRef sizes) const {
  double bytes = sizeof(float);
  for (const int64_t size : sizes) bytes *= static_cast<double>(size);
  check_memory(bytes_ + bytes, "a network with " + name + " of shape " + shape_text(sizes));
}

std::vector<NamedTensor> Weights::save() const {
  std::vector<NamedTensor> out;
  out.reserve(entries_.size());
  for (const auto& e : entries_) out.push_back(to_named(e.name, e.tensor));
  return out;
}

void Weights::load(const std::vector<NamedTensor>& source) {
  std::vector<std::pair<std::string, Tensor>> targets;
  for (const auto& e : entries_) targets.emplace_back(e.name, e.tensor);
  load_exact(targets, source);
  changed();
}

void load_exact(const std::vector<std::pair<std::string, Tensor>>& targets,
                const std::vector<NamedTensor>& source) {
  std::unordered_map<std::string, const NamedTensor*> by_name;
  for (const auto& named : source)
    if (!by_name.emplace(named.name, &named).second)
      throw Error("ERR_VSSL_WEIGHTS", "tensor " + named.name + " is given twice");
  std::vector<std::pair<Tensor, Tensor>> copies;
  for (const auto& [name, tensor] : targets) {
    const auto it = by_name.find(name);
    if (it == by_name.end()) throw Error("ERR_VSSL_WEIGHTS", "tensor " + name + " is missing");
    const NamedTensor& named = *it->second;
    const std::string dtype = dtype_name(tensor.scalar_type());
    if (named.shape != tensor.sizes().vec() || named.dtype != dtype)
      throw Error("ERR_VSSL_WEIGHTS", "tensor " + name + ": expected " + dtype + " " +
                                          shape_text(tensor.sizes()) + ", got " + named.dtype + " " +
                                          shape_text(named.shape));
    copies.emplace_back(tensor, from_named(named));
    by_name.erase(it);
  }
  if (!by_name.empty())
    throw Error("ERR_VSSL_WEIGHTS", "tensor " + by_name.begin()->first + " is not part of this network (" +
                                        std::to_string(by_name.size()) + " unexpected in all)");
  const at::NoGradGuard no_grad;
  for (auto& [target, value] : copies) target.copy_(value);
}

Scope Scope::operator/(const std::string& name) const {
  Scope child = *this;
  child.prefix_ += name + ".";
  return child;
}

Tensor Scope::normal(const std::string& name, at::IntArrayRef sizes, double deviation) const {
  weights_->check_room(full(name), sizes);
  Tensor tensor = at::empty(sizes, at::TensorOptions().dtype(at::kFloat));
  const CounterRandom random(seed_, full(name));
  float* out = tensor.mutable_data_ptr<float>();
  at::parallel_for(0, tensor.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      out[i] = static_cast<float>(deviation * random.normal(static_cast<uint64_t>(i)));
  });
  return weights_->add(full(name), tensor, true);
}

Tensor Scope::constant(const std::string& name, at::IntArrayRef sizes, double value) const {
  weights_->check_room(full(name), sizes);
  return weights_->add(full(name), at::full(sizes, value, at::TensorOptions().dtype(at::kFloat)), true);
}

Tensor Scope::buffer(const std::string& name, at::IntArrayRef sizes, double value,
                     at::ScalarType type) const {
  weights_->check_room(full(name), sizes);
  return weights_->add(full(name), at::full(sizes, value, at::TensorOptions().dtype(type)), false);
}

}  // namespace vssl::engine
