#include "new_calls.h"

#include <ATen/Parallel.h>

#include <cstdlib>
#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace vssl::engine {

namespace {

constexpr const char* kCapacity = "ONEDNN_PRIMITIVE_CACHE_CAPACITY";
constexpr int64_t kKept = 16384;  // prepared calls; a few tens of kB each, made as they are met
constexpr int64_t kForOne = 8;    // at most, with the changes of layout around one convolution
constexpr int64_t kLeastKept = 1024;

std::mutex preparing;  // held by the one that is new
std::mutex reading;    // of what is below
std::set<std::vector<int64_t>> prepared;

// Read by oneDNN at its first use.
const int64_t capacity = [] {
#if !defined(_WIN32)
  setenv(kCapacity, std::to_string(kKept).c_str(), 0);
#endif
  const char* const text = std::getenv(kCapacity);
  return text == nullptr ? kLeastKept : static_cast<int64_t>(std::strtoll(text, nullptr, 10));
}();

bool is_prepared(const std::vector<int64_t>& key) {
  const std::lock_guard<std::mutex> lock(reading);
  return prepared.count(key) > 0;
}

}  // namespace

bool keeps_prepared_calls() { return capacity >= kLeastKept; }

NewCall::NewCall(Kind kind, std::initializer_list<Tensor> tensors,
                 std::initializer_list<at::IntArrayRef> settings) {
  if (!at::in_parallel_region()) return;
  std::vector<int64_t> key{kind};
  const auto add = [&](at::IntArrayRef values) { key.insert(key.end(), values.begin(), values.end()); };
  for (const Tensor& tensor : tensors) {
    key.push_back(static_cast<int64_t>(tensor.scalar_type()));
    if (tensor.layout() != at::kStrided) continue;
    add(tensor.sizes());
    add(tensor.strides());
  }
  for (const at::IntArrayRef values : settings) add(values);
  if (is_prepared(key)) return;
  preparing.lock();
  if (is_prepared(key)) {
    preparing.unlock();
    return;
  }
  key_ = std::move(key);
}

NewCall::~NewCall() {
  if (key_.empty()) return;
  {
    const std::lock_guard<std::mutex> lock(reading);
    // What oneDNN may have dropped is new again.
    if (static_cast<int64_t>(prepared.size()) >= capacity / kForOne) prepared.clear();
    prepared.insert(std::move(key_));
  }
  preparing.unlock();
}

}  // namespace vssl::engine
