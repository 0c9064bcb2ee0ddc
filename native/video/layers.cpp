#include "layers.h"

namespace vssl::video {

Layers::Layers(const std::vector<ClipPlan>& clips) : rows_(clips.size()) {
  const auto n = static_cast<int64_t>(clips.size());
  for (int64_t i = 0; i < n && n > 1; ++i) {
    const int64_t before = (i + n - 1) % n;
    const auto& background = clips[i].background;
    if (!background || !same_pictures(background->clip, clips[before])) continue;
    rows_[i].lender = before;
    rows_[before].borrower = i;
    ++rows_[before].uses;
  }
}

std::vector<int64_t> Layers::arrive(int64_t row, FetchRequest own, FetchRequest under) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Row& r = rows_[row];
  r.own = std::move(own);
  r.under = std::move(under);
  r.here = true;
  std::vector<int64_t> ready;
  if (r.lender < 0 || rows_[r.lender].here) ready.push_back(row);
  if (r.borrower >= 0 && r.borrower != row && rows_[r.borrower].here) ready.push_back(r.borrower);
  return ready;
}

const std::vector<PicturePtr>* Layers::behind(int64_t row) const {
  const Row& r = rows_[row];
  const FetchRequest& under = r.lender < 0 ? r.under : rows_[r.lender].own;
  return under.clip && !under.failure ? &under.pictures : nullptr;
}

void Layers::made(int64_t row) {
  const std::lock_guard<std::mutex> lock(mutex_);
  rows_[row].under.pictures.clear();
  release(row);
  if (rows_[row].lender >= 0) release(rows_[row].lender);
}

void Layers::release(int64_t row) {
  if (--rows_[row].uses == 0) rows_[row].own.pictures.clear();
}

}  // namespace vssl::video
