// The video room's public face, in plain types: index a file, execute clip plans, write a video file.
// The room also builds without libav (VSSL_WITH_LIBAV undefined): image, packed, memory and synthetic
// sources still work, and everything that needs a decoder throws ERR_VSSL_NO_LIBAV. Likewise without OpenCV
// (VSSL_WITH_FLOW undefined): plans with flow that is not in a file throw ERR_VSSL_NO_FLOW.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../common/value.h"
#include "orientation.h"

namespace vssl::video {

// What a planner must know of a video. Made by reading every packet once (headers lie), no full decode.
struct VideoIndex {
  std::string codec;          // "h264", "mpeg4", ...
  int width = 0, height = 0;  // as displayed: orientation and sample aspect ratio applied
  Orientation orientation;    // how the decoder's output is brought upright
  double sample_aspect = 1;   // of the coded picture
  std::vector<double>
      times;  // presentation time of each picture, seconds, ascending, from the file's first 0 point
  std::vector<int32_t> keys;          // positions in `times` from which decoding may start
  double end = 0;                     // when the last picture stops being shown, seconds
  std::vector<std::string> warnings;  // e.g. "header says 120 frames, file has 118"
};

// `whole`: every packet is read, also where the container lists them, so that damage is met that reading
// alone shows. Throws Error: ERR_VSSL_VIDEO_OPEN, ERR_VSSL_VIDEO_NO_STREAM, ERR_VSSL_VIDEO_EMPTY,
// ERR_VSSL_NO_LIBAV.
VideoIndex index_file(const std::string& path, bool whole = false);
// The same of a plan source of kind "member"; ERR_VSSL_INVALID_ARGUMENT for another.
VideoIndex index_member(const Value& source, bool whole = false);

// "6.1 (libavcodec 60.31.102)" or "" when built without.
std::string libav_version();

// What `input` of a clip plan may be.
std::vector<std::string> input_kinds();

// "OpenCV 4.6.0" where optical flow can be computed; else "", and why not.
std::string flow_version();
std::string flow_fault();

// Why one clip of a batch could not be made.
struct ClipFailure {
  int view = 0, sample = 0;  // position in the batch plan
  std::string path;          // of the source
  std::string code, reason;  // stable code; sentence for people
  double where = -1;         // seconds into the source, -1 when it does not apply
};

struct LoadStats {
  int64_t decoded_frames = 0;                // pictures that came out of a decoder
  int64_t cache_hits = 0, cache_misses = 0;  // frames found / not found in the cache of small decoded frames
  int64_t stand_ins = 0;  // pictures of clips that no decoder gives, shown as an earlier one
  double decode_seconds = 0, augment_seconds = 0;  // summed over threads
};

enum class DType { kFloat32, kInt64 };

struct PackedView;  // packed.h

// Named data with rows. Clips are (N, T, H, W, 3) floats, i.e. the memory of a channels-last (N, 3, T, H, W)
// tensor.
struct ViewBuffer {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<int64_t> shape;          // (rows, ...)
  std::vector<int64_t> rows;           // the sample of each row, ascending; empty: row i is that of sample i
  std::shared_ptr<void> data;          // 64-byte aligned; null where there is `packed`
  std::shared_ptr<PackedView> packed;  // of clips that are still to be made (LoaderOptions::packs)

  int64_t row_values() const;  // elements of one row
  int64_t row_bytes() const;
  int64_t bytes() const { return shape.at(0) * row_bytes(); }
  void allocate();                                // data of bytes(), contents undefined
  int64_t row_of(int64_t sample) const;           // -1: the sample has none
  bool same_rows(const ViewBuffer& other) const;  // name, dtype and shape of one row
  std::string text() const;                       // "'tokens' (int64 rows of 2 x 8)"
  int64_t held_bytes() const;                     // of memory: bytes() where it is not packed
  void copy_to(void* out) const;                  // all rows, bytes(); clips that are packed are made
  float* floats() const { return static_cast<float*>(data.get()); }
  int64_t* ints() const { return static_cast<int64_t*>(data.get()); }
  char* row(int64_t i) const { return static_cast<char*>(data.get()) + i * row_bytes(); }
};

struct Batch {
  int64_t samples = 0;
  std::vector<ViewBuffer> views;  // what networks read
  std::vector<ViewBuffer> side;   // what else the planner says of the samples; each has a row
};

struct LoaderOptions {
  int threads = 1;
  int64_t cache_bytes = 0;  // bound of the cache of decoded, shrunk frames; 0: none
  // Clips of pictures are left as decoded samples, for an engine whose device makes floats of them.
  bool packs = false;
};

struct LoadResult {
  std::shared_ptr<Batch> batch;
  std::vector<ClipFailure> failures;  // at most one a clip, ordered by (view, sample)
  LoadStats stats;
};

// A pool of decoder threads that executes batch plans. The bytes of a batch depend on its plan alone: not on
// the number of threads, the order of execution, or what the cache holds.
//
// Batch plan (see src/data/plan.ts for the types):
//   { version: 2, views: [{ name, clips: [ClipPlan], rows? } | { name, dtype, shape, values, rows? }],
//     side?: [{ name, dtype, shape, values }], slots?: [int] }
// Version 1 has clips alone and no rows. With `into` and `slots`, row j of each view and side array is
// written to sample slots[j] of the existing batch (replacements).
class Loader {
 public:
  explicit Loader(const LoaderOptions& options);
  ~Loader();  // cancels what waits, waits for what runs; may be called from within `done`
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // Returns at once. `done` is called on a pool thread, exactly once: with a result, or with an exception
  // when the plan itself is wrong or the loader was closed (never for a bad file: that is a ClipFailure).
  void load(const Value& plan, std::shared_ptr<Batch> into,
            std::function<void(LoadResult, std::exception_ptr)> done);

  // Clips held in memory, for plan sources of kind "memory": uint8 (T, H, W, 3), copied. Returns its id.
  int64_t add_memory_clip(const uint8_t* frames, int64_t t, int64_t h, int64_t w);
  void remove_memory_clip(int64_t id);

  // Encoded video files held in memory, for plan sources of kind "bytes". Made empty; the bytes of what is
  // appended are copied. It is complete once it is indexed or loaded from. Unknown ids and appending to a
  // complete one throw ERR_VSSL_INVALID_ARGUMENT. Batches under way keep what they read from until they are
  // done.
  int64_t add_memory_file();
  void append_memory_file(int64_t id, const uint8_t* data, int64_t size);
  VideoIndex index_memory_file(int64_t id);  // throws as index_file does; any thread
  // The bytes go with what is returned (null: no such file), which may take milliseconds a 100 MB.
  std::shared_ptr<const void> remove_memory_file(int64_t id);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // pool threads hold it too
};

// Raw pictures of a plan's frames without augmentation, for thumbnails and tests are ordinary plans.

struct WriteOptions {
  double fps = 25;
  std::string codec = "mpeg4";  // an encoder of the linked libav
  int64_t quality = 3;          // quantiser scale for mpeg4 (1 best .. 31)
  int gop = 12;
  std::vector<double>
      times;  // when each frame is shown, seconds, rising, to the millisecond; empty: at `fps`
};
// Encodes uint8 RGB frames (T, H, W, 3) into `path` (container by suffix). What was written of a failed file
// is removed. Throws ERR_VSSL_VIDEO_WRITE, ERR_VSSL_NO_LIBAV.
void write_video(const std::string& path, const uint8_t* frames, int64_t t, int64_t h, int64_t w,
                 const WriteOptions& options);

// A picture as JPEG, uint8 RGB (H, W, 3), the same bytes for the same picture. `quality` 1 (best) to 31.
// Throws as write_video does.
std::vector<uint8_t> encode_jpeg(const uint8_t* rgb, int64_t h, int64_t w, int64_t quality);

// Renders a procedural motion clip (see synthetic.h) to uint8 (T, H, W, 3). `spec` is a plan source of kind
// "synthetic"; times in seconds.
std::vector<uint8_t> render_synthetic(const Value& spec, const std::vector<double>& times, int64_t h,
                                      int64_t w);

}  // namespace vssl::video
