// Which pair of row groups a ticket stands for, so that tiles of a symmetric matrix can be worked on by
// several threads without private accumulators and with the same order of additions for any number of
// threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "parallel.h"

namespace vssl {

/// A round-robin tournament of `groups` players (circle method), after a round in which each plays itself:
/// every unordered pair meets exactly once, and in each round each group is in at most one pair. A pair may
/// start when both groups have finished the round before, so a group's updates always come in the same order.
class Tournament {
 public:
  /// `played` has one counter a group, all zero at the start; it must outlive the tournament.
  void reset(int64_t groups, std::atomic<int64_t>* played) {
    groups_ = groups;
    players_ = groups + groups % 2;  // an odd number leaves one group out in each round
    pairs_ = players_ / 2;
    played_ = played;
    phase_.reset(groups > 1 ? groups + (players_ - 1) * pairs_ : groups);
  }

  /// Runs work(a, b), a <= b, for all pairs; returns when all threads together have finished.
  template <typename Work>
  void run(Work&& work) {
    phase_.run([&](int64_t ticket) {
      if (ticket < groups_) {
        work(ticket, ticket);
        played_[ticket].store(1, std::memory_order_release);
        return;
      }
      const int64_t round = (ticket - groups_) / pairs_;
      const auto [a, b] = pair_of(round, (ticket - groups_) % pairs_);
      const bool meets = b < groups_;
      // Earlier tickets are all taken by threads that are running, so these waits end.
      wait_until_at_least(played_[a], round + 1);
      if (meets) {
        wait_until_at_least(played_[b], round + 1);
        work(a, b);
        played_[b].store(round + 2, std::memory_order_release);
      }
      played_[a].store(round + 2, std::memory_order_release);
    });
  }

 private:
  std::pair<int64_t, int64_t> pair_of(int64_t round, int64_t index) const {
    const int64_t circle = players_ - 1;
    const int64_t a = index == 0 ? circle : (round + index) % circle;
    const int64_t b = (round - index + circle) % circle;
    return a < b ? std::pair{a, b} : std::pair{b, a};
  }

  int64_t groups_ = 0;
  int64_t players_ = 0;
  int64_t pairs_ = 0;
  std::atomic<int64_t>* played_ = nullptr;
  Phase phase_;
};

}  // namespace vssl
