// Any tree as a batch plan: mostly of the right form, so that what is inside is reached, with wrong values
// anywhere. What the parser takes is executed, on sources of every kind.
#pragma once

#include <cmath>
#include <limits>

#include "../../video/synthetic.h"
#include "input.h"

namespace vssl::video::fuzz {

// Samples (pictures x pixels) that one plan may make; larger ones are only parsed.
constexpr double kMostSamples = 1 << 18, kMostSourcePixels = 1 << 20;

// Files that plans name, made once.
struct PlanFiles {
  TemporaryFolder folder;
  std::string video = folder.file("a.mp4"), packed = folder.file("a.bin"), picture = folder.file("a.png");
  PlanFiles() {
    const std::vector<uint8_t> rgb = numbered_frames(8, 16, 24);
    write_bytes(packed, rgb);
    if (libav_version().empty()) return;
    WriteOptions o;
    write_video(video, rgb.data(), 8, 16, 24, o);
    o.codec = "png";
    const std::string moving = folder.file("a.mov");
    write_video(moving, rgb.data(), 1, 16, 24, o);
    const std::vector<uint8_t> bytes = read_bytes(moving);  // the one packet is a whole PNG file
    const uint8_t head[] = {0x89, 'P', 'N', 'G'}, tail[] = {'I', 'E', 'N', 'D', 0xAE, 0x42, 0x60, 0x82};
    const auto from = std::search(bytes.begin(), bytes.end(), head, head + 4);
    const auto to = std::search(from, bytes.end(), tail, tail + 8);
    if (to != bytes.end()) write_bytes(picture, {from, to + 8});
  }
};

class PlanMaker {
 public:
  PlanMaker(Choices& in, const PlanFiles& files, int64_t memory_id)
      : in_(in), files_(files), memory_id_(memory_id) {}

  // Arrays come last, so that kept inputs without them stay the plans they were.
  Value plan() {
    const Value clips = plan_of_clips();
    const int64_t arrays = in_.between(0, 3), side = in_.between(0, 2);
    if (!clips["views"].is_array() || arrays + side == 0) return clips;
    Value::Object o = clips.as_object("plan");
    Value::Array views = clips["views"].as_array("views"), beside;
    for (int64_t i = 0; i < arrays; ++i) views.push_back(array("n" + std::to_string(i), in_.one_in(2)));
    for (int64_t i = 0; i < side; ++i) beside.push_back(array("s" + std::to_string(i), false));
    if (in_.one_in(4) && views[0].is_object()) views[0] = some_rows(views[0].as_object("view"), clips_);
    o["version"] = odd_or(Value(2));
    o["views"] = odd_or(Value(std::move(views)));
    if (side > 0) o["side"] = odd_or(Value(std::move(beside)));
    return Value(std::move(o));
  }

 private:
  Value plan_of_clips() {
    Value::Object o{{"version", odd_or(Value(1))}};
    const int64_t views = in_.between(1, 3), clips = clips_ = in_.between(1, 3);
    frames_ = in_.between(1, 5), height_ = in_.between(1, 20), width_ = in_.between(1, 40);
    Value::Array list;
    for (int64_t v = 0; v < views; ++v) {
      Value::Array of_view;
      for (int64_t c = 0; c < clips; ++c) of_view.push_back(odd_or(clip()));
      list.push_back(odd_or(Value(Value::Object{{"name", odd_or(Value("v" + std::to_string(v)))},
                                                {"clips", odd_or(Value(std::move(of_view)))}})));
    }
    o["views"] = odd_or(Value(std::move(list)));
    if (in_.one_in(8)) o["slots"] = numbers(clips, 0, 3);
    return odd_or(Value(std::move(o)));
  }

  Value some_rows(Value::Object view, int64_t rows) {
    Value::Array samples;
    for (int64_t at = 0; rows > 0; --rows) samples.push_back(whole(at, at + 1)), at += 1 + in_.byte() % 2;
    view["rows"] = odd_or(Value(std::move(samples)));
    return odd_or(Value(std::move(view)));
  }

  Value array(const std::string& name, bool partial) {
    const bool ints = in_.one_in(2);
    Value::Array shape, values;
    int64_t row = 1;
    for (int64_t dims = in_.between(0, 3); dims > 0; --dims) {
      const int64_t size = in_.between(1, 3);
      shape.push_back(odd_or(Value(size)));
      row *= size;
    }
    const int64_t rows = partial ? in_.between(0, clips_) : clips_;
    for (int64_t i = 0; i < rows; ++i) {
      Value::Array of_row;
      for (int64_t j = 0; j < row; ++j) of_row.push_back(ints ? whole(-9, 9) : number(-9, 9));
      values.push_back(odd_or(Value(std::move(of_row))));
    }
    Value::Object o{{"name", odd_or(Value(name))},
                    {"dtype", odd_or(Value(ints ? "int64" : "float32"))},
                    {"shape", odd_or(Value(std::move(shape)))},
                    {"values", odd_or(Value(std::move(values)))}};
    return partial ? some_rows(std::move(o), rows) : odd_or(Value(std::move(o)));
  }

  double odd_number() {
    static const std::vector<double> kOdd = {0,
                                             -0.0,
                                             -1,
                                             0.5,
                                             1e-320,
                                             1e-6,
                                             255,
                                             256,
                                             8192,
                                             8193,
                                             65536,
                                             1e9,
                                             2147483647.0,
                                             2147483648.0,
                                             4294967296.0,
                                             9007199254740992.0,
                                             9223372036854775808.0,
                                             1e19,
                                             1e300,
                                             -1e300,
                                             std::numeric_limits<double>::infinity(),
                                             -std::numeric_limits<double>::infinity(),
                                             std::numeric_limits<double>::quiet_NaN()};
    if (!in_.one_in(4)) return in_.of(kOdd);
    double d = 0;  // any bits
    const uint64_t bits = in_.bits(8);
    std::memcpy(&d, &bits, sizeof d);
    return d;
  }

  Value odd() {
    switch (in_.byte() % 8) {
      case 0:
        return Value();
      case 1:
        return Value(in_.one_in(2));
      case 2:
        return Value(std::string(in_.byte() % 9, static_cast<char>(in_.byte())));
      case 3:
        return Value(Value::Array(in_.byte() % 6, Value(odd_number())));
      case 4:
        return Value(Value::Object{{"kind", Value("file")}, {"path", Value(1)}});
      default:
        return Value(odd_number());
    }
  }

  // Wrong in about one place of fifty.
  Value odd_or(Value sound) { return in_.byte() >= 251 ? odd() : sound; }

  Value number(double lowest, double highest) {
    return odd_or(Value(lowest + (highest - lowest) * static_cast<double>(in_.bits(2)) / 65535));
  }
  Value whole(int64_t lowest, int64_t highest) { return odd_or(Value(in_.between(lowest, highest))); }
  Value numbers(int64_t count, double lowest, double highest) {
    Value::Array a;
    for (int64_t i = 0; i < count; ++i) a.push_back(number(lowest, highest));
    return odd_or(Value(std::move(a)));
  }
  Value flag() { return odd_or(Value(in_.one_in(2))); }
  Value path(const std::string& there) {
    static const std::vector<std::string> kOdd = {
        "", "/", "/absent", "concat:a|b", "http://127.0.0.1/x", "/dev/null"};
    return odd_or(Value(in_.one_in(12) ? in_.of(kOdd) : there));
  }

  Value place(const char* kind) {
    return Value(Value::Object{{"kind", Value(kind)},
                               {"path", path(files_.packed)},
                               {"offset", whole(0, 4000)},
                               {"frames", whole(1, 9)},
                               {"height", whole(1, 17)},
                               {"width", whole(1, 25)},
                               {"fps", number(0.1, 60)}});
  }

  Value source() {
    switch (in_.byte() % 5) {
      case 0:
        return Value(Value::Object{{"kind", Value("file")}, {"path", path(files_.video)}});
      case 1: {
        Value::Array files;
        for (int64_t n = in_.between(0, 3); n >= 0; --n) files.push_back(path(files_.picture));
        return Value(Value::Object{
            {"kind", Value("images")}, {"files", odd_or(Value(std::move(files)))}, {"fps", number(0.1, 60)}});
      }
      case 2:
        return place("packed");
      case 3:
        return Value(Value::Object{
            {"kind", Value("memory")}, {"id", odd_or(Value(memory_id_))}, {"fps", number(0.1, 60)}});
      default:
        return synthetic();
    }
  }

  Value rows(int64_t most, int64_t length, double lowest, double highest) {
    Value::Array a;
    for (int64_t n = in_.between(0, most); n > 0; --n) a.push_back(numbers(length, lowest, highest));
    return odd_or(Value(std::move(a)));
  }

  Value synthetic() {
    Value::Object sprite{{"outline", rows(3, 3, -0.2, 0.2)},
                         {"inner", numbers(3, 0, 1)},
                         {"outer", numbers(3, 0, 1)},
                         {"stripes", number(0, 20)}};
    if (in_.one_in(6)) sprite["picture"] = path(files_.picture);
    return Value(Value::Object{{"kind", Value("synthetic")},
                               {"motion", whole(0, kMotions - 1)},
                               {"height", whole(8, 48)},
                               {"width", whole(8, 48)},
                               {"x", number(-2, 2)},
                               {"y", number(-2, 2)},
                               {"phase", number(-1, 1)},
                               {"speed", number(0, 100)},
                               {"radius", number(0.001, 10)},
                               {"size", number(0.001, 0.3)},
                               {"sizeLow", number(0.001, 0.3)},
                               {"sizeHigh", number(0.3, 0.3)},
                               {"angle", number(-10, 10)},
                               {"sprite", odd_or(Value(std::move(sprite)))},
                               {"background", odd_or(Value(Value::Object{{"base", numbers(3, 0, 1)},
                                                                         {"waves", rows(3, 6, -3, 3)}}))}});
  }

  Value augment() {
    static const std::vector<std::string> kOps = {"brightness", "contrast", "saturation", "hue", "sharpness"};
    const double x0 = static_cast<double>(in_.byte()) / 300, y0 = static_cast<double>(in_.byte()) / 300;
    Value::Array color;
    for (int64_t n = in_.one_in(3) ? in_.between(0, 4) : 0; n > 0; --n) {
      color.push_back(odd_or(
          Value(Value::Object{{"op", odd_or(Value(in_.of(kOps).substr(0)))}, {"value", number(0, 1)}})));
    }
    Value::Object a{{"crop", odd_or(Value(Value::Array{odd_or(Value(x0)), odd_or(Value(y0)),
                                                       number(x0 + 0.001, 1), number(y0 + 0.001, 1)}))},
                    {"flip", flag()},
                    {"color", odd_or(Value(std::move(color)))}};
    if (in_.one_in(4)) {
      a["gray"] = flag();
      a["blur"] = number(0, 5);
      a["blurRadius"] = whole(0, 40);
      a["solarize"] = number(0, 1);
    }
    return odd_or(Value(std::move(a)));
  }

  Value clip() {
    static const std::vector<std::string> kInputs = {"rgb", "rgb", "temporal-mean-removed", "difference"};
    static const std::vector<std::string> kModalities = {"rgb",        "rgb",  "rgb",
                                                         "difference", "flow", "flow-edges"};
    const std::string modality = in_.of(kModalities);
    Value::Array augments;
    for (int64_t n = in_.one_in(3) ? frames_ : 1; n > 0; --n) augments.push_back(augment());
    Value::Object c{{"source", odd_or(source())},
                    {"modality", odd_or(Value(modality))},
                    {"times", numbers(frames_, -1, 4)},
                    {"height", odd_or(Value(height_))},
                    {"width", odd_or(Value(width_))},
                    {"shrink", whole(1, 5)},
                    {"augment", odd_or(Value(std::move(augments)))},
                    {"input", odd_or(Value(modality == "rgb" ? in_.of(kInputs) : "rgb"))},
                    {"mean", numbers(3, 0, 1)},
                    {"std", numbers(3, 0.1, 1)}};
    if (modality != "rgb") c["next"] = numbers(frames_, -1, 4);
    if (modality[0] == 'f') c["flow"] = odd_or(place("flow"));
    return Value(std::move(c));
  }

  Choices& in_;
  const PlanFiles& files_;
  const int64_t memory_id_;
  int64_t frames_ = 1, height_ = 1, width_ = 1, clips_ = 1;
};

inline bool is_small(const BatchPlan& plan) {
  double samples = 0, pixels = 0;
  for (const ViewPlan& view : plan.views) {
    for (const ClipPlan& clip : view.clips) {
      const SourcePlan& s = clip.source;
      samples += static_cast<double>(clip.frames()) * clip.height * clip.width;
      for (const FrameAugment& a : clip.augment) samples += 2.0 * a.blur_radius * clip.height * clip.width;
      pixels += static_cast<double>(s.height) * s.width;
      if (clip.flow) pixels += static_cast<double>(clip.flow->height) * clip.flow->width;
      if (s.kind == SourceKind::kSynthetic) {
        ends_or_refuses([&] {
          const SyntheticMotion m = parse_synthetic(s.synthetic);
          pixels += static_cast<double>(m.height) * m.width * static_cast<double>(clip.times.size());
        });
      }
    }
  }
  return samples <= kMostSamples && pixels <= kMostSourcePixels;
}

inline void plan_target(const uint8_t* data, size_t size) {
  static const PlanFiles files;
  Choices in(data, size);
  LoaderOptions options;
  options.threads = in.one_in(4) ? 2 : 1;
  options.cache_bytes = in.one_in(2) ? 1 << 14 : 0;
  const int64_t t = in.between(1, 3), h = in.between(1, 20), w = in.between(1, 20);
  Loader loader(options);
  const std::vector<uint8_t> frames(static_cast<size_t>(t * h * w * 3), 77);
  const Value plan = PlanMaker(in, files, loader.add_memory_clip(frames.data(), t, h, w)).plan();
  bool small = false;
  ends_or_refuses([&] { small = is_small(parse_batch_plan(plan)); });
  if (!small) return;
  ends_or_refuses([&] {
    const bool placed = !plan["slots"].is_null();
    if (!placed) return check_result(load(loader, plan), false);
    Value::Object whole = plan.as_object("plan");  // the batch that the slots are of
    whole.erase("slots");
    const LoadResult first = load(loader, Value(whole));
    check_result(load(loader, plan, first.batch), false);
  });
}

}  // namespace vssl::video::fuzz
