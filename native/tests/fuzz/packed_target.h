// Packed clips and stored flow against a file of any length. Of packed clips the promise is exact.
#pragma once

#include <algorithm>
#include <cmath>

#include "input.h"

namespace vssl::video::fuzz {

// A size or place: mostly small, now and then at the edge of what the plan may say.
inline double packed_number(Choices& in, int64_t small) {
  static const std::vector<double> kEdges = {
      0, 1, 255, 4096, 8191, 8192, 8193, 2147483648.0, 4294967296.0, 9007199254740992.0, -1, 0.5};
  if (in.one_in(8)) return in.of(kEdges);
  return static_cast<double>(in.between(0, small));
}

inline void packed_target(const uint8_t* data, size_t size) {
  Choices in(data, size);
  const bool flow = in.one_in(2);
  const double offset = packed_number(in, 64), frames = packed_number(in, 12), fps = 1 + in.byte() % 30;
  const double height = packed_number(in, 40), width = packed_number(in, 40);
  const int shrink = static_cast<int>(in.between(1, 5));
  std::vector<double> times;
  for (int64_t n = in.between(1, 4); n > 0; --n) times.push_back(packed_number(in, 20) / fps);
  const size_t length = in.left();
  const MemoryFile file(in.rest(), length);
  Value::Object place{{"path", Value(file.path())}, {"offset", Value(offset)}, {"frames", Value(frames)},
                      {"height", Value(height)},    {"width", Value(width)},   {"fps", Value(fps)}};
  Value::Object source = place;
  source["kind"] = Value("packed");
  Value::Object clip = plain_clip(Value(source), times, 9, 7);
  clip["shrink"] = Value(shrink);
  if (flow) {
    clip["modality"] = Value(in.one_in(2) ? "flow" : "flow-edges");
    clip["flow"] = Value(place);
    std::vector<double> next;
    for (const double t : times) next.push_back(t + 1 / fps);
    clip["next"] = list(next);
  }
  LoadResult result;
  if (!ends_or_refuses([&] { result = load_once(batch_plan({{Value(clip)}})); })) return;
  check_result(result, !flow);  // a stored half may be infinite
  if (flow) return;
  // Accepted, so the sizes are sound: the clip is there exactly when the file holds all that it names.
  bool held = true;
  for (const double t : times) {
    const double position = std::min(std::max(std::floor((t + 1e-6) * fps), 0.0), frames - 1);
    held = held && offset + (position + 1) * height * width * 3 <= static_cast<double>(length);
  }
  if (held != result.failures.empty()) broken(held ? "a held clip failed" : "a clip from nothing");
}

}  // namespace vssl::video::fuzz
