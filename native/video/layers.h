// Clips of a view that have another one laid under them. Where that one is the clip before it in the view,
// its pictures are taken from there and not decoded twice; such a clip is made by whichever thread brings the
// second of the two.
#pragma once

#include <deque>
#include <mutex>
#include <vector>

#include "fetch.h"
#include "plan.h"

namespace vssl::video {

class Layers {
 public:
  explicit Layers(const std::vector<ClipPlan>& clips);

  // Whether the pictures under this row's clip come with another row's.
  bool borrows(int64_t row) const { return rows_[row].lender >= 0; }

  // A row's pictures are there, and those under it where it borrows none. Gives the rows whose clips can be
  // made now.
  std::vector<int64_t> arrive(int64_t row, FetchRequest own, FetchRequest under);

  // Of a row that can be made.
  const FetchRequest& own(int64_t row) const { return rows_[row].own; }
  // Null: there are none, or they could not be decoded; the clip then keeps its own background.
  const std::vector<PicturePtr>* behind(int64_t row) const;

  // The row's clip is made: pictures that nobody needs any more are let go.
  void made(int64_t row);

 private:
  struct Row {
    FetchRequest own, under;
    int64_t lender = -1, borrower = -1;
    bool here = false;
    int uses = 1;  // of its own pictures
  };
  void release(int64_t row);

  std::deque<Row> rows_;
  std::mutex mutex_;  // of what arrives and is let go
};

}  // namespace vssl::video
