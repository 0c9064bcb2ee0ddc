// Convolutions that oneDNN has not prepared yet, one at a time.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "../tensor.h"

namespace vssl::engine {

// Held around a convolution that several threads may run at once (parts.h). What all of them may do together
// is what oneDNN has kept from an earlier call; a call of its kind, sizes and layouts that is new is alone
// among the new ones.
//
// oneDNN 3 chooses a convolution's blocks by way of variables that all threads share. Two that are prepared
// at once may get each other's; and where both are the same convolution, one finds the other's code in
// oneDNN's cache and runs it on weights that it has laid out in blocks of another size: the result is noise.
// It showed once in some tens of runs, and once in five with the cache off
// (ONEDNN_PRIMITIVE_CACHE_CAPACITY=0, where parts are not used).
class NewCall {
 public:
  enum Kind { kForward, kBackward, kFolded };
  // The tensors that it reads, and what else it is prepared for.
  NewCall(Kind kind, std::initializer_list<Tensor> tensors, std::initializer_list<at::IntArrayRef> settings);
  ~NewCall();
  NewCall(const NewCall&) = delete;
  NewCall& operator=(const NewCall&) = delete;

 private:
  std::vector<int64_t> key_;  // empty: nobody waits for this one
};

// Whether oneDNN keeps enough of them for several threads to use it at once. Where the environment says
// nothing, it is asked to when the engine is loaded.
bool keeps_prepared_calls();

}  // namespace vssl::engine
