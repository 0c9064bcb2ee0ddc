// The pictures of clips, whatever the source: video file, image folder, packed file, memory, or synthetic.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "../common/ending.h"
#include "cache.h"
#include "memory_file.h"
#include "picture.h"
#include "plan.h"
#include "video.h"

namespace vssl::video {

class Reader;
struct FileIndex;

// One clip's pictures, or why there are none.
struct FetchRequest {
  const ClipPlan* clip = nullptr;
  std::vector<PicturePtr> pictures;    // one per entry of clip->times
  std::optional<ClipFailure> failure;  // view and sample are left to the caller
};

// Thrown inside a fetch when the loader closes.
struct FetchCancelled {};

class Fetcher {
 public:
  Fetcher(int64_t cache_bytes, int idle_readers);
  ~Fetcher();

  // Fills requests that all name the same source. Errors become failures of the requests that they concern.
  void fetch(std::vector<FetchRequest*>& requests, LoadStats& stats);

  int64_t add_memory_clip(const uint8_t* frames, int64_t t, int64_t h, int64_t w);
  void remove_memory_clip(int64_t id);
  MemoryFiles& files() { return files_; }
  std::shared_ptr<const MemoryFile> remove_memory_file(int64_t id);  // null: no such file
  void cancel() { cancelled_ = true; }
  bool cancelled() const { return cancelled_ || ending::begun; }

 private:
  struct MemoryClip {
    std::vector<uint8_t> frames;
    int64_t t = 0, h = 0, w = 0;
  };
  struct FileJob;

  void fetch_file(std::vector<FetchRequest*>& requests, LoadStats& stats);
  void look_up(FileJob& job, const std::vector<FetchRequest*>& requests, LoadStats& stats);
  void decode_missing(FileJob& job, LoadStats& stats);
  static void hand_out(const FileJob& job, FetchRequest& request, LoadStats& stats);
  void fetch_images(FetchRequest& request, LoadStats& stats);
  PicturePtr read_image(const std::string& path, int shrink, LoadStats& stats);
  void fetch_packed(FetchRequest& request);
  void fetch_memory(FetchRequest& request);
  void fetch_synthetic(FetchRequest& request);

  std::unique_ptr<Reader> acquire_reader(const std::string& identity, const Origin& origin,
                                         const std::shared_ptr<const FileIndex>& index);
  void release_reader(const std::string& identity, const Origin& origin, std::unique_ptr<Reader> reader);

  PictureCache& cache_of(const FileJob& job);

  PictureCache cache_;
  PictureCache no_cache_{0};  // of files in memory, which live for a few batches
  MemoryFiles files_;
  const size_t idle_readers_;
  std::atomic<bool> cancelled_{false};

  std::mutex readers_mutex_;
  std::vector<std::pair<std::string, std::unique_ptr<Reader>>> readers_;  // idle, latest use last

  std::mutex memory_mutex_;
  std::map<int64_t, std::shared_ptr<const MemoryClip>> memory_;
  int64_t next_memory_id_ = 1;
};

// Picture number of a source with a fixed rate: the last one that starts at t or before, within [0, count).
int64_t picture_at_rate(double t, double fps, int64_t count);

}  // namespace vssl::video
