// libFuzzer's entry to one target: VSSL_FUZZ_HEADER and VSSL_FUZZ_TARGET name it, see
// native/cmake/Fuzz.cmake.
#include VSSL_FUZZ_HEADER

#include "mutate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vssl::video::fuzz::VSSL_FUZZ_TARGET(data, size);
  return 0;
}

#ifdef VSSL_FUZZ_FILES
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

// Half of the changes are libFuzzer's own, the other half keep every offset of the file right.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  std::mt19937 random(seed);
  if (size == 0 || random() % 2 == 0) return LLVMFuzzerMutate(data, size, most);
  vssl::video::fuzz::mutate_file(data, size, random);
  return size;
}
#endif
