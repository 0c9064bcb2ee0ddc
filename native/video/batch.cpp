#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include "../common/kept_memory.h"
#include "packed.h"
#include "video.h"

namespace vssl::video {

int64_t ViewBuffer::row_values() const {
  return std::accumulate(shape.begin() + 1, shape.end(), int64_t{1}, std::multiplies<>());
}

int64_t ViewBuffer::row_bytes() const { return row_values() * (dtype == DType::kFloat32 ? 4 : 8); }

void ViewBuffer::allocate() { data = {take_memory(static_cast<size_t>(bytes())), give_memory}; }

int64_t ViewBuffer::held_bytes() const {
  if (!packed) return bytes();
  int64_t sum = 0;
  for (const PackedClip& clip : packed->clips) sum += clip.bytes;
  return sum;
}

void ViewBuffer::copy_to(void* to) const {
  if (!packed) {
    if (bytes() > 0) std::memcpy(to, data.get(), static_cast<size_t>(bytes()));
    return;
  }
  auto* out = static_cast<float*>(to);
  for (const PackedClip& clip : packed->clips) {
    if (clip.block)
      make_clip(out, clip.block.get());
    else
      std::fill_n(out, row_values(), 0.0f);
    out += row_values();
  }
}

int64_t ViewBuffer::row_of(int64_t sample) const {
  if (rows.empty()) return sample < shape[0] ? sample : -1;
  const auto at = std::lower_bound(rows.begin(), rows.end(), sample);
  return at == rows.end() || *at != sample ? -1 : at - rows.begin();
}

bool ViewBuffer::same_rows(const ViewBuffer& other) const {
  return name == other.name && dtype == other.dtype && shape.size() == other.shape.size() &&
         std::equal(shape.begin() + 1, shape.end(), other.shape.begin() + 1);
}

std::string ViewBuffer::text() const {
  std::string sizes;
  for (size_t i = 1; i < shape.size(); ++i) sizes += (i == 1 ? " of " : " x ") + std::to_string(shape[i]);
  return "'" + name + "' (" + (dtype == DType::kFloat32 ? "float32" : "int64") + " rows" + sizes + ")";
}

}  // namespace vssl::video
