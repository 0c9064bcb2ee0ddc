#include "plan.h"

#include <algorithm>
#include <iterator>

#include "plan_values.h"

namespace vssl::video {

namespace {

constexpr const char* kSources[] = {"file", "member", "images", "packed", "memory", "bytes", "synthetic"};
constexpr const char* kModalities[] = {"rgb", "difference", "flow", "flow-edges"};
constexpr const char* kInputs[] = {"rgb", "temporal-mean-removed", "difference"};
constexpr const char* kMasks[] = {"refined", "difference"};
constexpr const char* kColors[] = {"brightness", "contrast", "saturation", "hue"};

constexpr int64_t kMaxFrames = 4096, kMaxSide = 8192, kMaxShrink = 64, kMaxRadius = 512;

double positive(const Value& v, const std::string& name) {
  const double d = finite(v, name);
  if (d <= 0) fail(name, "a number above 0");
  return d;
}

}  // namespace

SourcePlan parse_source(const Value& v, const std::string& name) {
  SourcePlan s;
  s.kind = static_cast<SourceKind>(one_of(v["kind"], kSources, name + ".kind"));
  const bool packed = s.kind == SourceKind::kPacked, images = s.kind == SourceKind::kImages;
  const bool member = s.kind == SourceKind::kMember;
  if (packed || member || s.kind == SourceKind::kFile) s.path = v["path"].as_string(name + ".path");
  if (member) {
    s.part.name = v["name"].as_string(name + ".name");
    s.part.offset = whole(v["offset"], name + ".offset", 0, int64_t{1} << 53);
    s.part.size = whole(v["size"], name + ".size", 0, int64_t{1} << 53);
  }
  if (images) {
    for (const Value& f : v["files"].as_array(name + ".files"))
      s.files.push_back(f.as_string(name + ".files[]"));
    if (s.files.empty()) fail(name + ".files", "at least one picture");
  }
  if (packed) {
    s.offset = whole(v["offset"], name + ".offset", 0, int64_t{1} << 53);
    s.frames = whole(v["frames"], name + ".frames", 1, int64_t{1} << 31);
    s.height = whole(v["height"], name + ".height", 1, kMaxSide);
    s.width = whole(v["width"], name + ".width", 1, kMaxSide);
  }
  if (s.kind == SourceKind::kMemory || s.kind == SourceKind::kBytes)
    s.id = whole(v["id"], name + ".id", 0, int64_t{1} << 53);
  if (packed || images || s.kind == SourceKind::kMemory) s.fps = positive(v["fps"], name + ".fps");
  if (s.kind == SourceKind::kSynthetic) s.synthetic = v;
  return s;
}

namespace {

ColorOp parse_color(const Value& v, const std::string& name) {
  ColorOp op;
  op.kind = static_cast<ColorKind>(one_of(v["op"], kColors, name + ".op"));
  op.value = static_cast<float>(finite(v["value"], name + ".value"));
  if (op.kind == ColorKind::kHue && (op.value < -1 || op.value > 1))
    fail(name + ".value", "turns from -1 to 1");
  if (op.kind != ColorKind::kHue && op.value < 0) fail(name + ".value", "a factor of 0 or more");
  return op;
}

FrameAugment parse_augment(const Value& v, const std::string& name) {
  FrameAugment a;
  const auto& crop = v["crop"].as_array(name + ".crop");
  if (crop.size() != 4) fail(name + ".crop", "four fractions x0, y0, x1, y1");
  double* const box[4] = {&a.x0, &a.y0, &a.x1, &a.y1};
  for (int i = 0; i < 4; ++i) *box[i] = finite(crop[i], name + ".crop");
  constexpr double kSlack = 1e-9;
  if (a.x0 < -kSlack || a.y0 < -kSlack || a.x1 > 1 + kSlack || a.y1 > 1 + kSlack || a.x1 <= a.x0 ||
      a.y1 <= a.y0) {
    fail(name + ".crop", "0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1");
  }
  a.flip = v.get_bool("flip", false);
  if (!v["color"].is_null()) {
    for (const Value& op : v["color"].as_array(name + ".color"))
      a.color.push_back(parse_color(op, name + ".color[]"));
  }
  a.gray = v.get_bool("gray", false);
  if (!v["blur"].is_null()) a.blur = finite(v["blur"], name + ".blur");
  if (a.blur < 0) fail(name + ".blur", "a sigma of 0 or more");
  if (a.blur > 0)
    a.blur_radius = static_cast<int>(whole(v["blurRadius"], name + ".blurRadius", 0, kMaxRadius));
  if (!v["solarize"].is_null()) {
    a.solarizes = true;
    a.solarize = static_cast<float>(finite(v["solarize"], name + ".solarize"));
  }
  return a;
}

void parse_triple(float* out, const Value& v, const std::string& name, bool above_zero) {
  const auto& a = v.as_array(name);
  if (a.size() != 3) fail(name, "three numbers");
  for (int c = 0; c < 3; ++c) {
    out[c] = static_cast<float>(above_zero ? positive(a[c], name) : finite(a[c], name));
    if (above_zero && out[c] < 1e-6f) fail(name, "numbers of 1e-6 or more");
  }
}

FlowFile parse_flow(const Value& v, const std::string& name) {
  FlowFile f;
  f.path = v["path"].as_string(name + ".path");
  f.offset = whole(v["offset"], name + ".offset", 0, int64_t{1} << 53);
  f.frames = whole(v["frames"], name + ".frames", 1, int64_t{1} << 31);
  f.height = whole(v["height"], name + ".height", 1, kMaxSide);
  f.width = whole(v["width"], name + ".width", 1, kMaxSide);
  f.fps = positive(v["fps"], name + ".fps");
  return f;
}

// Every pair must be one of the file's fields, or a picture with itself, which does not move.
void check_fields(const ClipPlan& c, const std::string& name) {
  const FlowFile& flow = *c.flow;
  const auto frames = static_cast<size_t>(c.frames());
  for (size_t i = 0; i < frames; ++i) {
    const double from = slot_at_rate(c.times[i], flow.fps), to = slot_at_rate(c.times[frames + i], flow.fps);
    const auto last = static_cast<double>(flow.frames);  // pictures are one more than fields
    if (from >= 0 && to <= last && (to == from + 1 || to == from)) continue;
    throw Error("ERR_VSSL_INVALID_ARGUMENT",
                "expected the picture after that of times for " + name + ".next[" + std::to_string(i) +
                    "] but received " + std::to_string(c.times[frames + i]) + " s for a pair from " +
                    std::to_string(c.times[i]) + " s: " + flow.path + " has the flow from each of " +
                    std::to_string(flow.frames + 1) + " pictures at " + std::to_string(flow.fps) +
                    " a second to the next; leave out flow to have it computed");
  }
}

void parse_blend(ClipPlan& c, const Value& v, const std::string& name) {
  if (v.is_null()) return;
  if (c.input != InputKind::kRgb) fail(name, "nothing, but for pictures as they are (input rgb)");
  const auto part = [&](const char* key) {
    const double value = finite(v[key], name + "." + key);
    if (value < 0 || value > 1) fail(name + "." + key, "0 to 1");
    return static_cast<float>(value);
  };
  Blend blend;
  blend.still = part("still");
  blend.mean = part("mean");
  blend.frame = static_cast<int>(whole(v["frame"], name + ".frame", 0, c.frames() - 1));
  c.blend = blend;
}

// The modality, and what a clip of motion has besides a clip of pictures.
void parse_motion(ClipPlan& c, const Value& v, const std::string& name) {
  if (!v["modality"].is_null())
    c.modality = static_cast<Modality>(one_of(v["modality"], kModalities, name + ".modality"));
  if (c.modality == Modality::kRgb) return;
  if (c.input != InputKind::kRgb) fail(name + ".input", "rgb, as in every clip of motion");
  for (const FrameAugment& a : c.augment) {
    if (!a.color.empty() || a.gray || a.blur > 0 || a.solarizes)
      fail(name + ".augment", "a crop and a flip alone, as in every clip of motion");
  }
  const auto& next = v["next"].as_array(name + ".next");
  if (next.size() != c.times.size())
    fail(name + ".next", "one time for each of times (" + std::to_string(c.times.size()) + ")");
  for (const Value& t : next) c.times.push_back(finite(t, name + ".next"));
  if (!v["flow"].is_null() && c.modality != Modality::kDifference)
    c.flow = parse_flow(v["flow"], name + ".flow");
  if (c.flow) check_fields(c, name);
}

void parse_times(ClipPlan& c, const Value& v, const std::string& name) {
  const auto& times = v["times"].as_array(name + ".times");
  if (times.empty() || times.size() > kMaxFrames) {
    fail(name + ".times", "1 to " + std::to_string(kMaxFrames) + " times");
  }
  for (const Value& t : times) c.times.push_back(finite(t, name + ".times"));
}

void parse_background(ClipPlan& c, const Value& v, const std::string& name) {
  if (v.is_null()) return;
  if (c.modality != Modality::kRgb) fail(name, "nothing in a clip of motion");
  auto b = std::make_shared<Background>();
  b->clip.source = parse_source(v["source"], name + ".source");
  parse_times(b->clip, v, name);
  if (b->clip.times.size() != c.times.size())
    fail(name + ".times", "one time for each of the clip's (" + std::to_string(c.times.size()) + ")");
  b->clip.height = c.height;
  b->clip.width = c.width;
  b->clip.shrink = static_cast<int>(whole(v["shrink"], name + ".shrink", 1, kMaxShrink));
  b->clip.augment.push_back(parse_augment(v, name));
  b->share = finite(v["share"], name + ".share");
  if (b->share <= 0 || b->share >= 1) fail(name + ".share", "a number above 0 and below 1");
  b->refined = one_of(v["mask"], kMasks, name + ".mask") == 0;
  c.background = std::move(b);
}

}  // namespace

ClipPlan parse_clip(const Value& v, const std::string& name) {
  ClipPlan c;
  c.source = parse_source(v["source"], name + ".source");
  parse_times(c, v, name);
  c.height = static_cast<int>(whole(v["height"], name + ".height", 1, kMaxSide));
  c.width = static_cast<int>(whole(v["width"], name + ".width", 1, kMaxSide));
  c.shrink = static_cast<int>(whole(v["shrink"], name + ".shrink", 1, kMaxShrink));
  const auto& augment = v["augment"].as_array(name + ".augment");
  if (augment.size() != 1 && augment.size() != c.times.size()) {
    fail(name + ".augment", "one entry, or one per frame (" + std::to_string(c.times.size()) + ")");
  }
  for (size_t i = 0; i < augment.size(); ++i) {
    c.augment.push_back(parse_augment(augment[i], name + ".augment[" + std::to_string(i) + "]"));
  }
  if (!v["input"].is_null()) c.input = static_cast<InputKind>(one_of(v["input"], kInputs, name + ".input"));
  parse_triple(c.mean, v["mean"], name + ".mean", false);
  parse_triple(c.std, v["std"], name + ".std", true);
  parse_motion(c, v, name);
  parse_background(c, v["background"], name + ".background");
  if (c.modality != Modality::kRgb && !v["blend"].is_null())
    fail(name + ".blend", "nothing, as in every clip of motion");
  parse_blend(c, v["blend"], name + ".blend");
  return c;
}

namespace {

bool same(const Value& a, const Value& b) {
  if (a.is_object() && b.is_object()) {
    const auto &x = a.as_object(""), &y = b.as_object("");
    return x.size() == y.size() &&
           std::equal(x.begin(), x.end(), y.begin(), [](const auto& p, const auto& q) {
             return p.first == q.first && same(p.second, q.second);
           });
  }
  if (a.is_array() && b.is_array()) {
    const auto &x = a.as_array(""), &y = b.as_array("");
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), same);
  }
  if (a.is_number() && b.is_number()) return a.as_number("") == b.as_number("");
  if (a.is_string() && b.is_string()) return a.as_string("") == b.as_string("");
  if (a.is_bool() && b.is_bool()) return a.as_bool("") == b.as_bool("");
  return a.is_null() && b.is_null();
}

}  // namespace

bool same_pictures(const ClipPlan& a, const ClipPlan& b) {
  return a.shrink == b.shrink && a.modality == b.modality && a.times == b.times && a.source == b.source;
}

bool SourcePlan::operator==(const SourcePlan& o) const {
  return kind == o.kind && path == o.path && part.name == o.part.name && part.offset == o.part.offset &&
         part.size == o.part.size && files == o.files && fps == o.fps && offset == o.offset &&
         frames == o.frames && height == o.height && width == o.width && id == o.id &&
         same(synthetic, o.synthetic);
}

std::vector<std::string> input_kinds() { return {std::begin(kInputs), std::end(kInputs)}; }

std::string SourcePlan::name() const {
  switch (kind) {
    case SourceKind::kMember:
      return path + "/" + part.name;
    case SourceKind::kImages:
      return files.front();
    case SourceKind::kMemory:
      return "memory:" + std::to_string(id);
    case SourceKind::kBytes:
      return "the video";
    case SourceKind::kSynthetic:
      return "synthetic";
    default:
      return path;
  }
}

Origin SourcePlan::origin() const { return kind == SourceKind::kMember ? Origin(path, part) : Origin(path); }

}  // namespace vssl::video
