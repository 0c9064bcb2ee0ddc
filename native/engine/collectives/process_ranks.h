// Ranks that are processes, on this machine or on others: c10d's Gloo over TCP. They meet at a store that
// rank 0 keeps, where a rank also says why it leaves.
#pragma once

#include <string>
#include <vector>

#include "../../common/value.h"
#include "collectives.h"

namespace vssl::engine {

class ProcessRanks final : public Collectives {
 public:
  // spec: { rank, size, address, port: of rank 0's store; served: the store is there already, of a launcher;
  // run: what tells this run's keys from others' in the same store; channel: a name, one group of connections
  // each; timeout: seconds that a rank waits for the others, at the start and in each exchange }. Waits until
  // all are there. Throws ERR_VSSL_RANKS naming those that have not come, or what is wrong with the address.
  explicit ProcessRanks(const Value& spec);
  ~ProcessRanks() override;

  // All of these are called by all ranks in the same order. When a rank is lost they throw ERR_VSSL_RANKS,
  // which names it and what is known of why.
  int64_t rank() const override;
  int64_t size() const override;
  Tensor all_gather(const Tensor& rows) override;
  void all_reduce(Tensor& values) override;
  Exchanged exchanged() const override;
  // Rank 0's values, in place.
  void broadcast(Tensor& values);
  // A text of each rank, in rank order.
  std::vector<std::string> exchange(const std::string& text);

  // Tells the others why this rank leaves, from any thread; waits a moment for them to have seen it where the
  // store is this rank's. Does not throw.
  void leave(const std::string& reason) noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vssl::engine
