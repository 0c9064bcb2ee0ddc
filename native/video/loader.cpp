// The pool that executes batch plans: first come, first served; the unit of work is one sample with all its
// views.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <thread>

#include "../common/ending.h"
#include "../common/memory.h"
#include "augment.h"
#include "fetch.h"
#include "flow.h"
#include "index.h"
#include "layers.h"
#include "motion.h"
#include "packed.h"
#include "plan.h"
#include "video.h"

namespace vssl::video {

namespace {

using Done = std::function<void(LoadResult, std::exception_ptr)>;

// One batch on its way through the pool.
struct Job {
  BatchPlan plan;
  std::shared_ptr<Batch> batch;
  std::vector<std::unique_ptr<Layers>> layers;  // of each view: null where no clip has another under it
  Done done;
  std::exception_ptr error;  // a plan that cannot be executed
  int64_t units = 1;         // samples; 1 for an erroneous plan
  int64_t next_unit = 0;     // guarded by the pool's mutex, like `finished`
  int64_t finished = 0;
  std::mutex mutex;  // of what follows
  std::vector<ClipFailure> failures;
  LoadStats stats;
};

void add_stats(LoadStats& sum, const LoadStats& s) {
  sum.decoded_frames += s.decoded_frames;
  sum.cache_hits += s.cache_hits;
  sum.cache_misses += s.cache_misses;
  sum.stand_ins += s.stand_ins;
  sum.decode_seconds += s.decode_seconds;
  sum.augment_seconds += s.augment_seconds;
}

bool same_source(const SourcePlan& a, const SourcePlan& b) {
  if (a.kind != b.kind) return false;
  return a.kind == SourceKind::kFile ? a.path == b.path : a.kind == SourceKind::kBytes && a.id == b.id;
}

[[noreturn]] void invalid(const std::string& message) { throw Error("ERR_VSSL_INVALID_ARGUMENT", message); }

bool can_pack_all(const std::vector<ClipPlan>& clips) {
  return std::all_of(clips.begin(), clips.end(), can_pack);
}

// The arrays of the plan go into it; room for the clips.
std::shared_ptr<Batch> make_batch(BatchPlan& plan, bool packs) {
  double bytes = 0;
  const auto add = [&](const ViewBuffer& b) {
    double view = b.dtype == DType::kFloat32 ? 4 : 8;
    for (const int64_t size : b.shape) view *= static_cast<double>(size);
    bytes += view;
  };
  for (const ViewPlan& view : plan.views) add(view.buffer);
  for (const ViewBuffer& array : plan.side) add(array);
  check_memory(bytes, "a batch of " + std::to_string(plan.samples) + " samples");
  auto batch = std::make_shared<Batch>();
  batch->samples = plan.samples;
  for (const ViewPlan& view : plan.views) {
    batch->views.push_back(view.buffer);
    ViewBuffer& buffer = batch->views.back();
    if (view.clips.empty()) continue;
    if (packs && can_pack_all(view.clips)) {
      buffer.packed = std::make_shared<PackedView>();
      buffer.packed->clips.resize(view.clips.size());
    } else {
      buffer.allocate();
    }
  }
  batch->side = plan.side;
  return batch;
}

void check_target(const BatchPlan& plan, const Batch& into) {
  if (plan.slots.empty()) invalid("expected slots in a plan that writes into an existing batch");
  if (plan.views.size() != into.views.size() || plan.side.size() != into.side.size())
    invalid("expected the same views and side arrays as in the existing batch");
  for (const int64_t slot : plan.slots) {
    if (slot >= into.samples)
      invalid("expected slots below " + std::to_string(into.samples) + ", the batch's sample count");
  }
  const auto check = [&](const ViewBuffer& rows, const ViewBuffer& target) {
    if (!rows.same_rows(target))
      invalid("expected " + target.text() + ", as in the existing batch, but received " + rows.text());
    for (const int64_t slot : plan.slots) {
      if (target.row_of(slot) < 0)
        invalid("expected slots of samples that have view " + target.text() +
                " in the existing batch, but sample " + std::to_string(slot) + " has not");
    }
  };
  for (size_t v = 0; v < plan.views.size(); ++v) {
    check(plan.views[v].buffer, into.views[v]);
    if (into.views[v].packed && !can_pack_all(plan.views[v].clips))
      invalid("expected clips of pictures, as in the existing batch, for " + into.views[v].text());
  }
  for (size_t i = 0; i < plan.side.size(); ++i) check(plan.side[i], into.side[i]);
}

void patch_arrays(const BatchPlan& plan, const Batch& into) {
  const auto patch = [&](const ViewBuffer& rows, const ViewBuffer& target) {
    for (size_t j = 0; j < plan.slots.size(); ++j)
      std::memcpy(target.row(target.row_of(plan.slots[j])), rows.row(static_cast<int64_t>(j)),
                  static_cast<size_t>(rows.row_bytes()));
  };
  for (size_t v = 0; v < plan.views.size(); ++v) {
    if (plan.views[v].clips.empty()) patch(plan.views[v].buffer, into.views[v]);
    if (!into.views[v].packed) continue;
    const std::lock_guard<std::mutex> lock(into.views[v].packed->mutex);
    into.views[v].packed->placed = nullptr;
  }
  for (size_t i = 0; i < plan.side.size(); ++i) patch(plan.side[i], into.side[i]);
}

// Flow that cannot be computed is a fault of the installation, not of a file.
void check_flow(const BatchPlan& plan) {
  for (const ViewPlan& view : plan.views) {
    for (const ClipPlan& clip : view.clips) {
      const bool flows = clip.modality == Modality::kFlow || clip.modality == Modality::kFlowEdges;
      if (flows && !clip.flow) return require_flow();
    }
  }
}

void find_layers(Job& job) {
  for (const ViewPlan& view : job.plan.views) {
    const bool laid = std::any_of(view.clips.begin(), view.clips.end(),
                                  [](const ClipPlan& clip) { return clip.background != nullptr; });
    job.layers.push_back(laid ? std::make_unique<Layers>(view.clips) : nullptr);
  }
}

// Pictures that a sample takes: of its clip of a view, or those that lie under it.
struct Wanted {
  size_t view;
  int64_t row;
  bool under;
  FetchRequest request;
  bool fetched = false, placed = false;
};

// Of all views, what lies under a clip before the clip.
std::vector<Wanted> wanted_by(const Job& job, int64_t unit) {
  std::vector<Wanted> all;
  for (size_t v = 0; v < job.plan.views.size(); ++v) {
    const ViewPlan& view = job.plan.views[v];
    const int64_t row = view.clips.empty() ? -1 : view.buffer.row_of(unit);
    if (row < 0) continue;
    const auto add = [&](const ClipPlan& clip, bool under) {
      all.push_back({v, row, under, {}});
      all.back().request.clip = &clip;
    };
    const ClipPlan& clip = view.clips[static_cast<size_t>(row)];
    if (clip.background && !job.layers[v]->borrows(row)) add(clip.background->clip, true);
    add(clip, false);
  }
  return all;
}

struct Scratch {
  AugmentScratch pictures;
  MotionScratch motion;
  std::vector<uint8_t> block;  // of a clip that is packed
};

}  // namespace

struct Loader::Impl {
  explicit Impl(const LoaderOptions& options)
      : packs(options.packs), fetcher(options.cache_bytes, 8 + 2 * options.threads) {}

  void work();
  void close();
  void run_unit(Job& job, int64_t unit, Scratch& scratch);
  void fetch_some(std::vector<Wanted>& wanted, LoadStats& stats);
  static void place_clip(Job& job, size_t view, int64_t row, const FetchRequest& request,
                         const std::vector<PicturePtr>* behind, Scratch& scratch, LoadStats& stats);
  static void place_laid(Job& job, std::vector<Wanted>& wanted, Scratch& scratch, LoadStats& stats);
  void finish(Job& job);

  const bool packs;
  Fetcher fetcher;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::shared_ptr<Job>> queue;  // jobs with units that nobody has taken
  bool closing = false;
  std::vector<std::thread> threads;
};

// `row`: of the view, in the plan.
void Loader::Impl::place_clip(Job& job, size_t view, int64_t row, const FetchRequest& request,
                              const std::vector<PicturePtr>* behind, Scratch& scratch, LoadStats& stats) {
  const std::vector<int64_t>& rows = job.plan.views[view].buffer.rows;
  const int64_t unit = rows.empty() ? row : rows[static_cast<size_t>(row)];
  const ViewBuffer& b = job.batch->views[view];
  const int64_t place = b.row_of(job.plan.slots.empty() ? unit : job.plan.slots[static_cast<size_t>(unit)]);
  float* const out = b.packed ? nullptr : b.floats() + place * b.row_values();
  std::optional<ClipFailure> failure = request.failure;
  if (!failure) {
    const auto started = std::chrono::steady_clock::now();
    try {
      if (b.packed) {
        b.packed->clips[place] = pack_clip(request.pictures, *request.clip, scratch.block);
      } else if (request.clip->modality == Modality::kRgb) {
        augment_clip(out, request.pictures, *request.clip, scratch.pictures, row_ops(), behind);
      } else {
        motion_clip(out, request.pictures, *request.clip, scratch.motion);
      }
    } catch (const Error& e) {
      failure = ClipFailure{0, 0, request.clip->source.name(), e.code, e.what(), -1};
    } catch (const std::exception& e) {
      failure = ClipFailure{0, 0, request.clip->source.name(), "ERR_VSSL_VIDEO_DECODE", e.what(), -1};
    }
    stats.augment_seconds +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  }
  if (!failure) return;
  if (b.packed)
    b.packed->clips[place] = {};
  else
    std::fill(out, out + b.row_values(), 0.0f);
  failure->view = static_cast<int>(view);
  failure->sample = static_cast<int>(unit);
  std::lock_guard<std::mutex> lock(job.mutex);
  job.failures.push_back(std::move(*failure));
}

// The first that is missing, and with it those of the same file, which saves decoding twice.
void Loader::Impl::fetch_some(std::vector<Wanted>& wanted, LoadStats& stats) {
  const SourcePlan* source = nullptr;
  std::vector<FetchRequest*> pictured;  // a clip of flow that comes from a file needs no picture
  for (Wanted& w : wanted) {
    if (w.fetched || (source && !same_source(*source, w.request.clip->source))) continue;
    if (!source) source = &w.request.clip->source;
    w.fetched = true;
    if (!w.request.clip->flow) pictured.push_back(&w.request);
  }
  if (!pictured.empty()) fetcher.fetch(pictured, stats);
}

// Clips with another one under them, this sample's and those that have waited for its pictures.
void Loader::Impl::place_laid(Job& job, std::vector<Wanted>& wanted, Scratch& scratch, LoadStats& stats) {
  FetchRequest under;
  for (Wanted& w : wanted) {
    Layers* const layers = job.layers[w.view].get();
    if (!layers) continue;
    if (w.under) {
      under = std::move(w.request);
      continue;
    }
    for (const int64_t row : layers->arrive(w.row, std::move(w.request), std::move(under))) {
      place_clip(job, w.view, row, layers->own(row), layers->behind(row), scratch, stats);
      layers->made(row);
    }
    under = {};
  }
}

// All clips of one sample.
void Loader::Impl::run_unit(Job& job, int64_t unit, Scratch& scratch) {
  LoadStats stats;
  std::vector<Wanted> wanted = wanted_by(job, unit);
  const auto missing = [&] {
    return std::any_of(wanted.begin(), wanted.end(), [](const Wanted& w) { return !w.fetched; });
  };
  while (missing()) {
    fetch_some(wanted, stats);
    for (Wanted& w : wanted) {
      if (!w.fetched || w.placed || job.layers[w.view]) continue;
      place_clip(job, w.view, w.row, w.request, nullptr, scratch, stats);
      w.placed = true;
      w.request = {};
    }
  }
  place_laid(job, wanted, scratch, stats);
  std::lock_guard<std::mutex> lock(job.mutex);
  add_stats(job.stats, stats);
}

void Loader::Impl::finish(Job& job) {
  LoadResult result;
  if (!job.error) {
    std::sort(job.failures.begin(), job.failures.end(), [](const ClipFailure& a, const ClipFailure& b) {
      return a.view != b.view ? a.view < b.view : a.sample < b.sample;
    });
    result.batch = std::move(job.batch);
    result.failures = std::move(job.failures);
    result.stats = job.stats;
  }
  job.batch.reset();
  const Done done = std::move(job.done);
  done(std::move(result), job.error);
}

void Loader::Impl::work() {
  Scratch scratch;
  std::unique_lock<std::mutex> lock(mutex);
  for (;;) {
    wake.wait(lock, [&] { return closing || !queue.empty(); });
    if (queue.empty()) return;  // closing
    lock.unlock();
    const ending::Work work;
    lock.lock();
    if (queue.empty()) continue;  // others were faster
    const std::shared_ptr<Job> job = queue.front();
    int64_t taken = 1;
    const int64_t unit = job->next_unit++;
    if (closing) {  // nobody will take the rest
      taken += job->units - job->next_unit;
      job->next_unit = job->units;
    }
    if (job->next_unit == job->units) queue.pop_front();
    bool cancelled = closing;
    if (!cancelled && !job->error) {
      lock.unlock();
      std::exception_ptr error;
      try {
        run_unit(*job, unit, scratch);
      } catch (const FetchCancelled&) {
        cancelled = true;
      } catch (...) {  // out of memory
        error = std::current_exception();
      }
      lock.lock();
      if (error && !job->error) job->error = error;
    }
    if (cancelled && !job->error) {
      job->error =
          std::make_exception_ptr(Error("ERR_VSSL_DISPOSED", "the loader was closed before this batch"));
    }
    job->finished += taken;
    if (job->finished == job->units) {
      lock.unlock();
      finish(*job);
      lock.lock();
    }
  }
}

// Ends the threads: what waits is cancelled, what runs is waited for.
void Loader::Impl::close() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    closing = true;
  }
  fetcher.cancel();
  wake.notify_all();
  for (std::thread& t : threads) {
    if (t.get_id() == std::this_thread::get_id()) {
      t.detach();  // closed from within `done`; the thread holds a reference to this and ends by itself
    } else {
      t.join();
    }
  }
}

Loader::Loader(const LoaderOptions& options) {
  if (options.threads < 1 || options.threads > 1024) invalid("expected 1 to 1024 loader threads");
  if (options.cache_bytes < 0) invalid("expected a cache size of 0 or more bytes");
  impl_ = std::make_shared<Impl>(options);
  try {
    for (int i = 0; i < options.threads; ++i) impl_->threads.emplace_back([impl = impl_] { impl->work(); });
  } catch (...) {  // no more threads to be had
    impl_->close();
    throw;
  }
}

Loader::~Loader() { impl_->close(); }

void Loader::load(const Value& plan, std::shared_ptr<Batch> into, Done done) {
  auto job = std::make_shared<Job>();
  job->done = std::move(done);
  try {
    job->plan = parse_batch_plan(plan);
    check_flow(job->plan);
    if (into) {
      check_target(job->plan, *into);
      patch_arrays(job->plan, *into);
      job->batch = std::move(into);
    } else {
      if (!job->plan.slots.empty()) invalid("expected an existing batch for a plan with slots");
      job->batch = make_batch(job->plan, impl_->packs);
    }
    find_layers(*job);
    job->units = job->plan.samples;
  } catch (...) {
    job->error = std::current_exception();
    job->units = 1;
  }
  std::lock_guard<std::mutex> lock(impl_->mutex);
  impl_->queue.push_back(std::move(job));
  impl_->wake.notify_all();
}

int64_t Loader::add_memory_clip(const uint8_t* frames, int64_t t, int64_t h, int64_t w) {
  return impl_->fetcher.add_memory_clip(frames, t, h, w);
}

void Loader::remove_memory_clip(int64_t id) { impl_->fetcher.remove_memory_clip(id); }

int64_t Loader::add_memory_file() { return impl_->fetcher.files().add(); }

void Loader::append_memory_file(int64_t id, const uint8_t* data, int64_t size) {
  impl_->fetcher.files().append(id, data, size);
}

VideoIndex Loader::index_memory_file(int64_t id) {
  const Origin origin(impl_->fetcher.files().complete(id));
  return cached_index(origin, origin.identity())->info;
}

std::shared_ptr<const void> Loader::remove_memory_file(int64_t id) {
  return impl_->fetcher.remove_memory_file(id);
}

}  // namespace vssl::video
