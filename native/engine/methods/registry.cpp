#include "../errors.h"
#include "../runtime.h"
#include "methods.h"

namespace vssl::engine {

namespace {

const std::map<std::string, std::unique_ptr<Method> (*)(const MethodPlan&)>& methods() {
  static const std::map<std::string, std::unique_ptr<Method> (*)(const MethodPlan&)> all = {
      {"cate", &create_cate},           {"cvrl", &create_cvrl},     {"moco", &create_moco},
      {"modist", &create_modist},       {"simclr", &create_simclr}, {"tcgl", &create_tcgl},
      {"videomoco", &create_videomoco},
  };
  return all;
}

}  // namespace

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const auto& entry : methods()) names.push_back(entry.first);
  return names;
}

std::unique_ptr<Method> create_method(const std::string& name, const MethodPlan& plan) {
  const auto it = methods().find(name);
  if (it != methods().end()) return it->second(plan);
  std::string names;
  for (const auto& n : method_names()) names += (names.empty() ? "" : ", ") + n;
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
