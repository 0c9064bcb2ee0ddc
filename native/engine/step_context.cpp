#include "step_context.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>

#include "errors.h"
#include "runtime.h"

namespace vssl::engine {

namespace {

const Rows& find(const std::vector<Rows>& all, const std::string& kind, const std::string& name) {
  if (const Rows* found = find_named(all, name)) return *found;
  throw_invalid("the batch has no " + kind + " \"" + name + "\"; it has: " + names_of(all));
}

// The rows [first, second) of a chunk's samples.
std::pair<int64_t, int64_t> range_of(const Rows& rows, const Chunk& chunk) {
  if (rows.samples.empty()) return {chunk.begin, chunk.end};
  const auto at = [&](int64_t sample) {
    return std::lower_bound(rows.samples.begin(), rows.samples.end(), sample) - rows.samples.begin();
  };
  return {at(chunk.begin), at(chunk.end)};
}

}  // namespace

c10::Event StageTime::mark() const {
  c10::Event event(device_.type(), c10::EventFlag::BACKEND_DEFAULT);  // one that has a time
  event.record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
  return event;
}

double StageTime::seconds() const {
  double sum = seconds_;
  for (const auto& [begin, end] : marks_) sum += begin.elapsedTime(end) / 1e3;
  return sum;
}

Stopwatch::Stopwatch(StageTime& stage) : Stopwatch(stage.seconds_) {
  if (stage.device_.is_cpu()) return;
  stage_ = &stage;
  begin_ = stage.mark();
}

Stopwatch::~Stopwatch() {
  if (!stage_) {
    seconds_ += std::chrono::duration<double>(Clock::now() - start_).count();
    return;
  }
  try {
    stage_->marks_.emplace_back(std::move(*begin_), stage_->mark());
  } catch (const std::exception&) {  // a device that failed has no times; its error comes by itself
  }
}

const Rows& StepContext::view(const std::string& name) const { return find(views_, "view", name); }

bool StepContext::has_view(const std::string& name) const { return find_named(views_, name) != nullptr; }

const Tensor& StepContext::side(const std::string& name) const {
  return find(side_, "side array", name).data;
}

Pass StepContext::pass(bool update_stats) const {
  Pass pass;
  pass.train = true;
  pass.update_stats = update_stats;
  pass.compute = compute;
  pass.checkpoint = checkpoint_;
  pass.gradient_scale = gradient_scale_;
  if (sync_norm_ && collectives.size() > 1) pass.ranks = &collectives;
  return pass;
}

std::vector<Chunk> StepContext::chunks() const {
  const int64_t count = std::min(accumulate_, samples);
  const auto all = static_cast<double>(samples * collectives.size());
  std::vector<Chunk> chunks;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = samples * i / count, end = samples * (i + 1) / count;
    chunks.push_back({begin, end, static_cast<double>(end - begin) / all});
  }
  return chunks;
}

Tensor StepContext::rows(const Rows& view, const Chunk& chunk) const {
  const auto [first, last] = range_of(view, chunk);
  return view.data.slice(0, first, last).to(placement.device);
}

Tensor StepContext::places(const Rows& view, const Chunk& chunk) const {
  const auto [first, last] = range_of(view, chunk);
  std::vector<int64_t> places;
  for (int64_t i = first; i < last; ++i)
    places.push_back((view.samples.empty() ? i : view.samples[i]) - chunk.begin);
  return at::tensor(places, at::kLong).to(placement.device);
}

Tensor StepContext::clips(const Rows& view, const Chunk& chunk) const {
  const auto [first, last] = range_of(view, chunk);
  return clips_of(view, first, last, placement, compute);
}

void StepContext::report(const std::string& name, const Tensor& value, double factor) {
  reports_.push_back({name, value.detach(), factor});
}

Tensor StepContext::reported() const {
  std::vector<Tensor> values;
  for (const Report& report : reports_) values.push_back(report.value.to(at::kDouble));
  if (!values.empty()) return at::stack(values);
  return at::empty({0}, at::TensorOptions().dtype(at::kDouble).device(placement.device));
}

std::map<std::string, double> StepContext::losses(const double* values) const {
  std::map<std::string, double> sums{{"loss", 0}};
  for (size_t i = 0; i < reports_.size(); ++i) sums[reports_[i].name] += values[i] * reports_[i].factor;
  if (collectives.size() == 1) return sums;
  Tensor all = at::empty({static_cast<int64_t>(sums.size())}, at::kDouble);
  int64_t i = 0;
  for (const auto& entry : sums) all[i++].fill_(entry.second);
  collectives.all_reduce(all);
  i = 0;
  for (auto& entry : sums) entry.second = all[i++].item<double>();
  return sums;
}

}  // namespace vssl::engine
