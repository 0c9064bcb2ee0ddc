#include "errors.h"
#include "runtime.h"
#include "methods/methods.h"

namespace vssl::engine {

std::unique_ptr<Method> create_method(const std::string& name, const MethodPlan& plan) {
  std::string names;
  for (const MethodEntry& entry : method_list()) {
    if (entry.name == name) return entry.create(plan);
    names += (names.empty() ? "" : ", ") + entry.name;
  }
  throw_invalid("unknown method \"" + name + "\"; expected one of: " + names);
}

const View& StepContext::view(const std::string& name) const {
  for (const auto& v : views)
    if (v.name == name) return v;
  std::string names;
  for (const auto& v : views) names += (names.empty() ? "" : ", ") + v.name;
  throw_invalid("the batch has no view \"" + name + "\"; it has: " + (names.empty() ? "(none)" : names));
}

Tensor StepContext::clips(const View& view, int64_t begin, int64_t end) const {
  return place_clips(view.clips.slice(0, begin, end), placement, compute);
}

}  // namespace vssl::engine
