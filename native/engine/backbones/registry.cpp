// The table of architectures.
#include <map>

#include "../errors.h"
#include "families.h"

namespace vssl::engine {

namespace {

constexpr double kLeastWidth = 1.0 / 64, kMostWidth = 8;

struct Family {
  std::vector<std::string> keys;  // of the spec, beside arch and width
  std::unique_ptr<VideoNet> (*create)(const ModelPlan& plan, const Placement& placement);
  ResNetLayout layout;  // read by the residual families only
  LeastClip least;
};

const std::map<std::string, Family>& families() {
  static const std::map<std::string, Family> all = {
      {"c3d", {{"batchNorm"}, &create_c3d, {}, {8, 16}}},
      {"mc3_18", {{}, &create_resnet, {ConvKind::kNoTemporal, {2, 2, 2, 2}}, {}}},
      {"r2plus1d_18", {{"timeStrides"}, &create_resnet, {ConvKind::k2Plus1D, {2, 2, 2, 2}}, {}}},
      {"r3d_10", {{"timeStrides"}, &create_resnet, {ConvKind::kSimple, {1, 1, 1, 1}}, {}}},
      {"r3d_18", {{"timeStrides"}, &create_resnet, {ConvKind::kSimple, {2, 2, 2, 2}}, {}}},
      {"r3d_34", {{"timeStrides"}, &create_resnet, {ConvKind::kSimple, {3, 4, 6, 3}}, {}}},
      {"r3d_50", {{}, &create_resnet50, {}, {}}},
  };
  return all;
}

}  // namespace

std::vector<ArchitectureInfo> architectures() {
  std::vector<ArchitectureInfo> out;
  for (const auto& [name, family] : families())
    out.push_back({name, family.keys, family.least, kLeastWidth, kMostWidth});
  return out;
}

std::unique_ptr<VideoNet> create_model(const Value& spec, uint64_t seed, const Placement& placement) {
  const std::string arch = spec.get_string("arch", "r3d_18");
  const auto it = families().find(arch);
  if (it == families().end()) {
    throw_invalid("unknown model.arch \"" + arch + "\"; expected one of: " +
                  names_of(families(), [](const auto& entry) { return entry.first; }));
  }
  const Family& family = it->second;
  std::vector<std::string> keys = family.keys;
  keys.insert(keys.begin(), {"arch", "width"});
  check_keys(spec, keys, "model");
  const double width = number_in(spec, "width", 1, kLeastWidth, kMostWidth);
  auto net = family.create({spec, width, seed, family.layout}, placement);
  Value::Object resolved{{"arch", arch}, {"width", width}};
  for (const auto& key : family.keys)
    if (!spec[key].is_null()) resolved[key] = spec[key];
  net->spec_ = Value(resolved);
  net->least_clip_ = family.least;
  return net;
}

}  // namespace vssl::engine
