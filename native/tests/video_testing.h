// What the video tests share: temporary files, plans by hand, and waiting for a loader.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "../video/plan.h"
#include "../video/video.h"
#include "testing.h"

namespace vssl::video {

// A folder of its own that goes away at the end.
struct TemporaryFolder {
  std::filesystem::path path;
  TemporaryFolder() {
    std::random_device random;
    path = std::filesystem::temp_directory_path() / ("vssl-video-test-" + std::to_string(random()));
    std::filesystem::create_directories(path);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string file(const std::string& name) const { return (path / name).string(); }
};

inline std::vector<uint8_t> read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void write_bytes(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline Value list(const std::vector<double>& numbers) {
  Value::Array a;
  for (const double n : numbers) a.emplace_back(n);
  return Value(std::move(a));
}

inline Value file_source(const std::string& path) {
  return Value(Value::Object{{"kind", Value("file")}, {"path", Value(path)}});
}

inline Value color_op(const std::string& op, double value) {
  return Value(Value::Object{{"op", Value(op)}, {"value", Value(value)}});
}

// An augmentation that changes nothing; tests overwrite entries.
inline Value::Object plain_augment() {
  return {{"crop", list({0, 0, 1, 1})}, {"flip", Value(false)}, {"color", Value(Value::Array{})},
          {"gray", Value(false)},       {"blur", Value(0.0)},   {"blurRadius", Value(0)},
          {"solarize", Value()}};
}

inline Value::Object plain_clip(const Value& source, const std::vector<double>& times, int h, int w) {
  return {{"source", source},
          {"modality", Value("rgb")},
          {"times", list(times)},
          {"height", Value(h)},
          {"width", Value(w)},
          {"shrink", Value(1)},
          {"augment", Value(Value::Array{Value(plain_augment())})},
          {"input", Value("rgb")},
          {"mean", list({0, 0, 0})},
          {"std", list({1, 1, 1})}};
}

inline Value batch_plan(const std::vector<std::vector<Value>>& views) {
  Value::Array list_of_views;
  for (size_t v = 0; v < views.size(); ++v) {
    list_of_views.emplace_back(
        Value::Object{{"name", Value("view" + std::to_string(v))},
                      {"clips", Value(Value::Array(views[v].begin(), views[v].end()))}});
  }
  return Value(Value::Object{{"version", Value(1)}, {"views", Value(std::move(list_of_views))}});
}

// Loads and waits. Throws what the loader reports for the whole plan.
inline LoadResult load(Loader& loader, const Value& plan, std::shared_ptr<Batch> into = nullptr) {
  std::mutex mutex;
  std::condition_variable ready;
  bool done = false;
  LoadResult result;
  std::exception_ptr error;
  loader.load(plan, std::move(into), [&](LoadResult r, std::exception_ptr e) {
    std::lock_guard<std::mutex> lock(mutex);
    result = std::move(r);
    error = e;
    done = true;
    ready.notify_all();
  });
  std::unique_lock<std::mutex> lock(mutex);
  ready.wait(lock, [&] { return done; });
  if (error) std::rethrow_exception(error);
  return result;
}

inline LoadResult load_once(const Value& plan, int threads = 1, int64_t cache_bytes = 0) {
  LoaderOptions options;
  options.threads = threads;
  options.cache_bytes = cache_bytes;
  Loader loader(options);
  return load(loader, plan);
}

// All floats of a batch's views, one after another.
inline std::vector<float> floats(const Batch& batch) {
  std::vector<float> out;
  for (const ViewBuffer& v : batch.views) {
    if (v.dtype != DType::kFloat32) continue;
    const size_t before = out.size();
    out.resize(before + static_cast<size_t>(v.shape[0] * v.row_values()));
    v.copy_to(out.data() + before);
  }
  return out;
}

// A moving pattern in which every frame differs and frame i has gray level 20 + 4 i in its left half.
inline std::vector<uint8_t> numbered_frames(int t, int h, int w) {
  std::vector<uint8_t> rgb(static_cast<size_t>(t) * h * w * 3);
  for (int i = 0; i < t; ++i) {
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        uint8_t* p = &rgb[((static_cast<size_t>(i) * h + y) * w + x) * 3];
        for (int c = 0; c < 3; ++c) {
          p[c] =
              static_cast<uint8_t>(x < w / 2 ? 20 + 4 * i : 128 + 90 * (((x + 3 * i + y * (c + 1)) / 8) % 2));
        }
      }
    }
  }
  return rgb;
}

// The number that numbered_frames gave a frame, read back from a clip that saw its left half.
inline double read_number(const float* frame, int h, int w) {
  double sum = 0;
  for (int i = 0; i < h * w * 3; ++i) sum += frame[i];
  return (sum / (h * w * 3) * 255 - 20) / 4;
}

}  // namespace vssl::video
