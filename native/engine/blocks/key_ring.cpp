#include "key_ring.h"

#include <algorithm>

#include "rows.h"

namespace vssl::engine {

KeyRing::KeyRing(int64_t capacity, int64_t dim, std::vector<RingColumn> columns, at::Device device)
    : columns_(std::move(columns)),
      keys_(at::zeros({capacity, dim}, at::TensorOptions().dtype(at::kFloat).device(device))),
      count_(at::zeros({}, at::TensorOptions().dtype(at::kLong))) {
  for (const RingColumn& column : columns_)
    values_.push_back(at::zeros({capacity, column.width}, keys_.options().dtype(column.type)));
}

void KeyRing::push(const Tensor& keys, const std::vector<Tensor>& values) {
  const at::NoGradGuard no_grad;
  const int64_t capacity = keys_.size(0), rows = keys.size(0);
  if (keys.dim() != 2 || keys.size(1) != keys_.size(1))
    throw_invalid("expected keys of shape (n, " + std::to_string(keys_.size(1)) + "), got " +
                  shape_text(keys.sizes()));
  if (values.size() != columns_.size())
    throw_invalid("expected " + std::to_string(columns_.size()) + " columns with the keys, got " +
                  std::to_string(values.size()));
  for (size_t c = 0; c < values.size(); ++c)
    if (values[c].dim() != 2 || values[c].size(0) != rows || values[c].size(1) != columns_[c].width)
      throw_invalid("expected column " + columns_[c].name + " of shape " +
                    shape_text({rows, columns_[c].width}) + ", got " + shape_text(values[c].sizes()));
  const int64_t kept = std::min(rows, capacity);
  const Tensor order =
      at::arange(rows - kept, rows, at::TensorOptions().dtype(at::kLong).device(keys_.device()));
  const Tensor slots = (order + next()).remainder(capacity);
  keys_.index_copy_(0, slots, unit_rows(keys.to(keys_.options())).index_select(0, order));
  for (size_t c = 0; c < values.size(); ++c)
    values_[c].index_copy_(0, slots, values[c].to(values_[c].options()).index_select(0, order));
  count_.add_(rows);
}

int64_t KeyRing::length() const { return std::min(count_.item<int64_t>(), keys_.size(0)); }

int64_t KeyRing::next() const { return count_.item<int64_t>() % keys_.size(0); }

Tensor KeyRing::column(const std::string& name) const {
  for (size_t c = 0; c < columns_.size(); ++c)
    if (columns_[c].name == name) return values_[c].slice(0, 0, length());
  throw_invalid("this ring has no column \"" + name + "\"");
}

NamedHandles KeyRing::state() const {
  NamedHandles all{{"keys", keys_}};
  for (size_t c = 0; c < columns_.size(); ++c) all.emplace_back(columns_[c].name, values_[c]);
  all.emplace_back("count", count_);
  return all;
}

int64_t KeyRing::bytes() const {
  size_t bytes = keys_.nbytes();
  for (const Tensor& values : values_) bytes += values.nbytes();
  return static_cast<int64_t>(bytes);
}

}  // namespace vssl::engine
