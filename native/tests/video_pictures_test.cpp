// Tests of what decides how a picture is seen: orientation, the stream that is taken, colour that is said to
// be beyond a screen's; and of folders of pictures, whatever their names and damage.
#include <array>
#include <cmath>

#include "video_file_checks.h"
#include "video_matroska.h"

namespace vssl::video {
namespace {

using Matrix = std::array<int, 4>;  // a, b, c, d: (x, y) is shown at (a x + c y, b x + d y)

constexpr Matrix kMatrices[] = {{1, 0, 0, 1},  {0, 1, -1, 0}, {-1, 0, 0, -1}, {0, -1, 1, 0},
                                {-1, 0, 0, 1}, {0, 1, 1, 0},  {1, 0, 0, -1},  {0, -1, -1, 0}};

std::string name_of(const Matrix& m) {
  std::string name = "matrix";
  for (const int v : m) name += " " + std::to_string(v);
  return name;
}

// Gray levels of a picture of 3 x 2 fields, by row; as it is coded.
constexpr int kAcross = 3, kDown = 2, kField = 16;
constexpr int kLevel[kDown][kAcross] = {{30, 70, 110}, {150, 190, 230}};

Binary field_picture() {
  Binary rgb(static_cast<size_t>(kDown * kField) * kAcross * kField * 3);
  size_t i = 0;
  for (int y = 0; y < kDown * kField; ++y) {
    for (int x = 0; x < kAcross * kField; ++x) {
      for (int c = 0; c < 3; ++c) rgb[i++] = static_cast<uint8_t>(kLevel[y / kField][x / kField]);
    }
  }
  return rgb;
}

void write_fields(const std::string& path, const std::string& codec, int pictures = 1) {
  WriteOptions o;
  o.codec = codec;
  o.quality = 2;
  o.gop = 1;
  Binary rgb;
  for (int i = 0; i < pictures; ++i) append(rgb, field_picture());
  write_video(path, rgb.data(), pictures, kDown * kField, kAcross * kField, o);
}

// The levels in the order in which they are shown, by the definition in libavutil/display.h, worked by hand.
std::vector<int> shown(const Matrix& m, int* across) {
  std::map<std::pair<int, int>, int> at;  // by row, column
  int left = 0, top = 0, right = 0;
  for (int y = 0; y < kDown; ++y) {
    for (int x = 0; x < kAcross; ++x) {
      const int sx = m[0] * x + m[2] * y, sy = m[1] * x + m[3] * y;
      at[{sy, sx}] = kLevel[y][x];
      left = std::min(left, sx), right = std::max(right, sx), top = std::min(top, sy);
    }
  }
  *across = right - left + 1;
  std::vector<int> levels;
  for (const auto& [place, level] : at) levels.push_back(level);
  return levels;
}

// What is seen of `source` when it is shown with `m`: its size and its fields.
void check_fields(const std::string& name, const Value& source, const Matrix& m) {
  int across = 0;
  const std::vector<int> levels = shown(m, &across);
  const int down = kAcross * kDown / across;
  // A pixel a field, from the middle of it: crops by field keep clear of coding noise at the borders.
  for (int y = 0; y < down; ++y) {
    for (int x = 0; x < across; ++x) {
      Value::Object augment = plain_augment();
      augment["crop"] = list({(x + 0.3) / across, (y + 0.3) / down, (x + 0.7) / across, (y + 0.7) / down});
      Value::Object clip = plain_clip(source, {0}, 1, 1);
      clip["augment"] = Value(Value::Array{Value(augment)});
      const LoadResult r = load_once(batch_plan({{Value(clip)}}));
      check(r.failures.empty(), name + ": " + describe(r.failures));
      const double level = r.batch->views[0].floats()[0] * 255;
      const int expected = levels[static_cast<size_t>(y * across + x)];
      check(std::fabs(level - expected) < 8, name + ": field " + std::to_string(x) + ", " +
                                                 std::to_string(y) + " shows " + std::to_string(level) +
                                                 ", not " + std::to_string(expected));
    }
  }
}

void check_size(const std::string& name, const VideoIndex& index, const Matrix& m) {
  const bool swaps = m[0] == 0;
  check(
      index.width == kField * (swaps ? kDown : kAcross) && index.height == kField * (swaps ? kAcross : kDown),
      name + ": size " + std::to_string(index.width) + " x " + std::to_string(index.height));
}

// Fixed point with 16 bits after the point, big endian.
void put_fixed(Binary& bytes, size_t at, double value) {
  const auto n = static_cast<uint32_t>(static_cast<int32_t>(std::lround(value * 65536)));
  for (int i = 0; i < 4; ++i) bytes[at + static_cast<size_t>(i)] = static_cast<uint8_t>(n >> (24 - 8 * i));
}

size_t find(const Binary& bytes, const std::string& text) {
  return static_cast<size_t>(std::search(bytes.begin(), bytes.end(), text.begin(), text.end()) -
                             bytes.begin());
}

// The matrix of the track, in its header: 40 bytes after the version's byte.
void write_turned(const std::string& path, Binary mp4, const std::array<double, 4>& m) {
  const size_t at = find(mp4, "tkhd") + 4 + 40;
  put_fixed(mp4, at, m[0]);
  put_fixed(mp4, at + 4, m[1]);
  put_fixed(mp4, at + 12, m[2]);
  put_fixed(mp4, at + 16, m[3]);
  write_bytes(path, mp4);
}

void test_display_matrices(const TemporaryFolder& folder) {
  const std::string plain = folder.file("fields.mp4"), path = folder.file("turned.mp4");
  write_fields(plain, "mpeg4", 2);
  const Binary mp4 = read_bytes(plain);
  for (const Matrix& m : kMatrices) {
    write_turned(path, mp4,
                 {static_cast<double>(m[0]), static_cast<double>(m[1]), static_cast<double>(m[2]),
                  static_cast<double>(m[3])});
    const VideoIndex index = index_file(path);
    check(index.warnings.empty(), name_of(m) + ": " + (index.warnings.empty() ? "" : index.warnings[0]));
    check_size(name_of(m), index, m);
    check_fields(name_of(m), file_source(path), m);
  }
  write_turned(path, mp4, {0.82, 0.57, -0.57, 0.82});  // by 35 degrees
  const VideoIndex slanted = index_file(path);
  check(slanted.orientation == Orientation{} && slanted.warnings.size() == 1 &&
            slanted.warnings[0].find("quarter") != std::string::npos,
        "a matrix between the eight");
  write_turned(path, mp4, {0, 0, 1, 1});
  const VideoIndex flat = index_file(path);
  check(flat.orientation == Orientation{} && flat.warnings.size() == 1, "a matrix that leaves nothing");
}

// EXIF's eight values, in the order of the TIFF tag, as display matrices.
constexpr Matrix kExif[] = {{1, 0, 0, 1}, {-1, 0, 0, 1}, {-1, 0, 0, -1}, {1, 0, 0, -1},
                            {0, 1, 1, 0}, {0, 1, -1, 0}, {0, -1, -1, 0}, {0, -1, 1, 0}};

// A TIFF block with a width, then the orientation.
Binary tiff_block(int orientation, bool big) {
  Binary out = big ? Binary{'M', 'M', 0, 42} : Binary{'I', 'I', 42, 0};
  const auto put = [&](uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i)
      out.push_back(static_cast<uint8_t>(value >> 8 * (big ? bytes - 1 - i : i)));
  };
  put(8, 4);
  put(2, 2);
  put(0x100, 2), put(4, 2), put(1, 4), put(99, 4);
  put(0x112, 2), put(3, 2), put(1, 4), put(static_cast<uint32_t>(orientation), 2), put(0, 2);
  put(0, 4);
  return out;
}

uint32_t crc32(const Binary& bytes) {
  uint32_t crc = ~0u;
  for (const uint8_t b : bytes) {
    crc ^= b;
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0u);
  }
  return ~crc;
}

void put_big(Binary& out, uint32_t n) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(n >> shift));
}

void put_little(Binary& out, uint32_t n, int bytes = 4) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(n >> 8 * i));
}

Binary png_chunk(const std::string& name, const Binary& content) {
  Binary named(name.begin(), name.end()), out;
  append(named, content);
  put_big(out, static_cast<uint32_t>(content.size()));
  append(out, named);
  put_big(out, crc32(named));
  return out;
}

Binary insert(Binary bytes, size_t at, const Binary& more) {
  bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), more.begin(), more.end());
  return bytes;
}

Binary with_exif_png(const Binary& png, const Binary& tiff) {
  return insert(png, 33, png_chunk("eXIf", tiff));
}

Binary with_exif_jpeg(const Binary& jpeg, const Binary& tiff) {
  const size_t size = tiff.size() + 8;
  Binary segment{0xFF, 0xE1, static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size), 'E', 'x', 'i', 'f',
                 0,    0};
  append(segment, tiff);
  return insert(jpeg, 2, segment);
}

// A lossless WebP of one colour, with EXIF: five codes of a single symbol, and then no bit a pixel.
Binary webp(int width, int height, uint8_t gray, const Binary& tiff) {
  Binary bits;
  int used = 0;
  const auto put = [&](uint32_t value, int count) {
    for (int i = 0; i < count; ++i, ++used) {
      if (used % 8 == 0) bits.push_back(0);
      bits.back() = static_cast<uint8_t>(bits.back() | (value >> i & 1) << used % 8);
    }
  };
  put(0x2F, 8), put(static_cast<uint32_t>(width - 1), 14), put(static_cast<uint32_t>(height - 1), 14);
  put(0, 1), put(0, 3), put(0, 1), put(0, 1), put(0, 1);  // alpha, version; transform, cache, groups
  for (const uint32_t symbol : {uint32_t{gray}, uint32_t{gray}, uint32_t{gray}, 255u, 0u})
    put(1, 1), put(0, 1), put(1, 1), put(symbol, 8);
  const auto chunk = [](const std::string& name, const Binary& content) {
    Binary out(name.begin(), name.end());
    put_little(out, static_cast<uint32_t>(content.size()));
    append(out, content);
    if (content.size() % 2) out.push_back(0);
    return out;
  };
  Binary head{8, 0, 0, 0};  // it has EXIF
  put_little(head, static_cast<uint32_t>(width - 1), 3);
  put_little(head, static_cast<uint32_t>(height - 1), 3);
  Binary content{'W', 'E', 'B', 'P'};
  append(content, chunk("VP8X", head));
  append(content, chunk("VP8L", bits));
  append(content, chunk("EXIF", tiff));
  return chunk("RIFF", content);
}

Value images(const std::vector<std::string>& paths, double fps = 5) {
  Value::Array files;
  for (const std::string& path : paths) files.emplace_back(path);
  return Value(Value::Object{{"kind", Value("images")}, {"files", Value(files)}, {"fps", Value(fps)}});
}

void test_exif(const TemporaryFolder& folder) {
  write_fields(folder.file("plain.jpg"), "mjpeg");
  write_fields(folder.file("plain.png"), "png");
  const Binary jpeg = read_bytes(folder.file("plain.jpg")), png = read_bytes(folder.file("plain.png"));
  for (int tag = 1; tag <= 8; ++tag) {
    const Matrix& m = kExif[tag - 1];
    const Binary tiff = tiff_block(tag, tag % 2 == 0);
    for (const std::string suffix : {".jpg", ".png"}) {
      const std::string path = folder.file("exif" + std::to_string(tag) + suffix);
      write_bytes(path, suffix == ".jpg" ? with_exif_jpeg(jpeg, tiff) : with_exif_png(png, tiff));
      const std::string name = "EXIF " + std::to_string(tag) + suffix;
      check_size(name, index_file(path), m);
      check_fields(name, images({path}), m);
      check_fields(name + " as a video", file_source(path), m);
    }
    const std::string path = folder.file("exif" + std::to_string(tag) + ".webp");
    write_bytes(path, webp(kAcross * kField, kDown * kField, 100, tiff));
    check_size("EXIF " + std::to_string(tag) + " in WebP", index_file(path), m);
    // A video of such pictures.
    const std::string video = folder.file("exif.mkv");
    write_matroska(video, {{kAcross * kField, kDown * kField, {2, with_exif_jpeg(jpeg, tiff)}}});
    check_size("Motion JPEG, EXIF " + std::to_string(tag), index_file(video), m);
    check_fields("Motion JPEG, EXIF " + std::to_string(tag), file_source(video), m);
  }
  // Blocks that end too early or point beyond their end say nothing.
  const Binary whole = tiff_block(6, false);
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::optional<Orientation> o = orientation_of_exif(whole.data(), size);
    check(!o || (o->rotation == 90 && size >= 32), "EXIF cut to " + std::to_string(size) + " bytes");
  }
  Binary astray = whole;
  astray[4] = astray[5] = astray[6] = astray[7] = 0xFF;
  check(!orientation_of_exif(astray.data(), astray.size()), "EXIF that points beyond its end");
  check(!orientation_of_exif(tiff_block(9, true).data(), whole.size()), "EXIF with a ninth orientation");
}

// One H.264 picture of 32 x 16, dark on the left and bright on the right; before it an SEI message that says
// how it is to be shown.
Binary h264(bool mirror, bool upside_down, int anticlockwise) {
  const Binary parameters{0,    0,    0, 1, 0x67, 0x64, 0x10, 0x0A, 0xAC, 0xB9, 0x76,
                          0x02, 0x20, 0, 0, 3,    0,    0x20, 0,    0,    6,    0x50,
                          0x80, 0,    0, 0, 1,    0x68, 0xCE, 0x0F, 0x2C, 0x8B};
  const Binary picture{0, 0,    1,    0x65, 0x88, 0x84, 4,    0xBC, 0x98, 0xA0,
                       0, 0x31, 0x13, 0x78, 0xA0, 0,    0x10, 0x8C, 0x60};
  // cancel 0, mirror, upside down, rotation in 2^16ths of a turn, repetition period 0 as ue(v), extension 0
  const auto turn = static_cast<uint32_t>(anticlockwise * 65536 / 360);
  const uint32_t bits = (mirror ? 1u << 22 : 0) | (upside_down ? 1u << 21 : 0) | turn << 5 | 1u << 4;
  Binary out = parameters;
  append(out, {0, 0, 1, 6, 47, 3, static_cast<uint8_t>(bits >> 16), static_cast<uint8_t>(bits >> 8),
               static_cast<uint8_t>(bits | 4), 0x80});
  append(out, picture);
  return out;
}

void test_sei(const TemporaryFolder& folder) {
  const std::string path = folder.file("sei.h264");
  // What a corner of the turned picture shows: the bright half ends at the top after a quarter anticlockwise.
  const auto brightness = [&](double x, double y) {
    Value::Object augment = plain_augment();
    augment["crop"] = list({x - 0.1, y - 0.1, x + 0.1, y + 0.1});
    Value::Object clip = plain_clip(file_source(path), {0}, 1, 1);
    clip["augment"] = Value(Value::Array{Value(augment)});
    const LoadResult r = load_once(batch_plan({{Value(clip)}}));
    check(r.failures.empty(), "SEI: " + describe(r.failures));
    return r.batch->views[0].floats()[0];
  };
  write_bytes(path, h264(false, false, 90));
  VideoIndex index = index_file(path);
  check(index.width == 16 && index.height == 32 && index.orientation.rotation == 270,
        "SEI turns by a quarter");
  check(brightness(0.5, 0.2) > 0.6 && brightness(0.5, 0.8) < 0.3, "SEI: right becomes top");
  write_bytes(path, h264(true, false, 0));
  index = index_file(path);
  check(index.width == 32 && index.orientation == Orientation{0, true}, "SEI mirrors");
  check(brightness(0.2, 0.5) > 0.6 && brightness(0.8, 0.5) < 0.3, "SEI: right becomes left");
  write_bytes(path, h264(false, false, 0));
  check(brightness(0.8, 0.5) > 0.6, "SEI without a turn");
}

void test_streams(const TemporaryFolder& folder) {
  const Binary rgb = numbered_frames(6, kH, kW);
  std::vector<Binary> moving;
  for (int i = 0; i < 6; ++i) {
    WriteOptions o;
    o.codec = "mjpeg";
    o.quality = 2;
    write_video(folder.file("one.jpg"), rgb.data() + static_cast<size_t>(i) * kH * kW * 3, 1, kH, kW, o);
    moving.push_back(read_bytes(folder.file("one.jpg")));
  }
  write_fields(folder.file("still.jpg"), "mjpeg");
  const std::vector<Binary> still{read_bytes(folder.file("still.jpg"))};
  const std::string path = folder.file("streams.mkv");
  const MatroskaTrack moves{kW, kH, moving}, stands{kAcross * kField, kDown * kField, still};
  MatroskaTrack large = stands, other = moves;
  large.width = large.height = 4000;  // says more than it has
  other.is_default = false;
  const std::vector<std::vector<MatroskaTrack>> files = {
      {stands, moves}, {moves, stands}, {large, moves}, {stands, other}, {other, large}};
  for (const auto& tracks : files) {
    write_matroska(path, tracks);
    const VideoIndex index = index_file(path);
    check(index.times.size() == 6 && index.width == kW, "the moving stream is taken");
    check(index.warnings.size() == 1 && index.warnings[0].find("one of 2 video streams") == 0,
          "several streams are said");
    check_numbers("the moving stream",
                  load_once(batch_plan({{number_clip(file_source(path), {0, 0.1, 0.2})}})), {0, 2, 5});
  }
  write_matroska(path, {{kW, kH, {moving[3], moving[4]}, false}, moves});
  check(index_file(path).times.size() == 6, "the file's own choice among moving streams");
  write_matroska(path, {stands, {kW, kH, {moving[3]}}});
  check(index_file(path).width == kW, "the larger of two still ones");
}

void test_color(const TemporaryFolder& folder) {
  write_fields(folder.file("color.jpg"), "mjpeg");
  const std::vector<Binary> pictures(2, read_bytes(folder.file("color.jpg")));
  const std::string path = folder.file("color.mkv");
  const auto warning = [&](uint32_t transfer, uint32_t primaries) {
    write_matroska(path, {{kAcross * kField, kDown * kField, pictures, true, transfer, primaries}});
    const std::vector<std::string> warnings = index_file(path).warnings;
    return warnings.empty() ? "" : warnings[0];
  };
  check(warning(16, 9).find("high dynamic range (PQ, BT.2020)") == 0, "PQ is said");
  check(warning(18, 9).find("high dynamic range (HLG, BT.2020)") == 0, "HLG is said");
  check(warning(16, 1).find("high dynamic range (PQ);") == 0, "PQ alone is said");
  check(warning(1, 9).find("wide gamut (BT.2020)") == 0, "a wide gamut is said");
  check(warning(1, 12).find("wide gamut (Display P3)") == 0, "Display P3 is said");
  check(warning(1, 1).empty() && warning(0, 0).empty(), "nothing to say of a screen's colours");
}

// Numbered pictures in files of these names.
std::vector<std::string> write_pictures(const TemporaryFolder& folder,
                                        const std::vector<std::string>& names) {
  const Binary rgb = numbered_frames(static_cast<int>(names.size()), kH, kW);
  const std::string one = folder.file("written.png");
  std::vector<std::string> paths;
  for (size_t i = 0; i < names.size(); ++i) {
    WriteOptions o;
    o.codec = "png";
    write_video(one, rgb.data() + i * kH * kW * 3, 1, kH, kW, o);
    paths.push_back(folder.file(names[i]));
    std::filesystem::rename(one, paths.back());
  }
  return paths;
}

// Names that libav would take for patterns, protocols or options, with a suffix that is wrong and without
// one.
void test_names(const TemporaryFolder& folder) {
  const std::vector<std::string> names = {"50%d.png", "%03d.png",  "100%.png", "a?b.png", "aXb.png",
                                          "a*.png",   "{1,2}.png", "[1].png",  "a:b.png", "-i.png",
                                          "#1 x.png", "%d.jpg",    "?",        "file:%d", "%%.PNG"};
  const std::vector<std::string> paths = write_pictures(folder, names);
  std::vector<double> times;
  std::vector<int> expected;
  for (size_t i = 0; i < paths.size(); ++i) {
    times.push_back(static_cast<double>(i) / 5);
    expected.push_back(static_cast<int>(i));
    const VideoIndex index = index_file(paths[i]);
    check(index.codec == "png" && index.width == kW && index.times.size() == 1, "index of " + names[i]);
    check_numbers(names[i] + " as a video",
                  load_once(batch_plan({{number_clip(file_source(paths[i]), {0})}})), {static_cast<int>(i)});
  }
  check_numbers("names", load_once(batch_plan({{number_clip(images(paths), times)}})), expected);
  const std::string video = folder.file("v%03d?.mp4");
  write_numbered(folder.file("v.mp4"), 5, 5);
  std::filesystem::rename(folder.file("v.mp4"), video);
  check_numbers("a video with such a name", load_once(batch_plan({{number_clip(file_source(video), {0.1})}})),
                {2});
}

// A broken picture is replaced by the nearest earlier sound one that is near enough.
void test_broken_pictures(const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (int i = 0; i < 12; ++i) names.push_back("p" + std::to_string(i) + ".png");
  const std::vector<std::string> paths = write_pictures(folder, names);
  const auto damage = [&](size_t i, int how) {
    Binary bytes = read_bytes(paths[i]);
    if (how == 0) bytes.clear();
    if (how == 1) bytes.resize(40);  // the head alone
    if (how == 2) std::fill(bytes.begin(), bytes.end(), uint8_t{0x55});
    write_bytes(paths[i], bytes);
    if (how == 3) std::filesystem::remove(paths[i]);
  };
  damage(0, 0);
  for (int how = 0; how < 4; ++how) damage(static_cast<size_t>(4 + how), how);
  const auto at = [&](double fps, const std::vector<int>& positions) {
    std::vector<double> times;
    for (const int p : positions) times.push_back((p + 0.5) / fps);
    return load_once(batch_plan({{number_clip(images(paths, fps), times)}}), 1, 1 << 20);
  };
  check_numbers("replaced", at(5, {2, 3, 4, 5, 6, 8, 11}), {2, 3, 3, 3, 3, 8, 11});
  const LoadResult far = at(5, {3, 7});  // the fourth back, and 0.8 s
  check(far.failures.size() == 1 && far.failures[0].path == paths[7] &&
            far.failures[0].code == "ERR_VSSL_VIDEO_OPEN" && std::fabs(far.failures[0].where - 1.5) < 1e-9,
        "too far from the last sound one: " + describe(far.failures));
  check_numbers("replaced within half a second", at(25, {7}), {3});
  const LoadResult first = at(25, {0});
  check(first.failures.size() == 1 && first.failures[0].path == paths[0], "nothing before the first");
}

void test_animations(const TemporaryFolder& folder) {
  const Binary rgb = numbered_frames(6, kH, kW);
  WriteOptions o;
  o.codec = "apng";
  for (const std::string name : {"a.apng", "a.png"}) {
    write_video(folder.file("written.apng"), rgb.data(), 6, kH, kW, o);
    const std::string path = folder.file(name);
    std::filesystem::rename(folder.file("written.apng"), path);
    const VideoIndex index = index_file(path);
    check(index.codec == "apng" && index.times.size() == 6, name + " is a video");
    check_numbers(name, load_once(batch_plan({{number_clip(file_source(path), {0, 0.1, 0.2, 0.05})}})),
                  {0, 2, 5, 1});
    check_numbers(name + " among pictures", load_once(batch_plan({{number_clip(images({path}), {0, 5})}})),
                  {0, 0});
  }
  Binary animated = webp(kW, kH, 100, {});
  animated[20] = static_cast<uint8_t>(animated[20] | 2);
  write_bytes(folder.file("moves.webp"), animated);
  check_throws("ERR_VSSL_VIDEO_OPEN", "animated WebP is not supported",
               [&] { index_file(folder.file("moves.webp")); });
  write_bytes(folder.file("stands.webp"), webp(kW, kH, 100, {}));
  check(index_file(folder.file("stands.webp")).width == kW, "a still WebP");
}

// Files of the folder of numbered pictures, where it is: what is shown is the coded picture, placed by the
// matrix.
void test_numbered_files(const std::string& data, const TemporaryFolder& folder) {
  const auto picture = [](const std::string& path, int h, int w) {
    return floats(*load_once(batch_plan({{Value(plain_clip(file_source(path), {1.3}, h, w))}})).batch);
  };
  const std::pair<std::string, Matrix> files[] = {{"mx_hflip.mp4", {-1, 0, 0, 1}},
                                                  {"mx_transpose.mp4", {0, 1, 1, 0}}};
  for (const auto& [name, m] : files) {
    const std::string path = data + "/" + name, plain = folder.file("coded.mp4");
    write_turned(plain, read_bytes(path), {1, 0, 0, 1});
    const VideoIndex shown = index_file(path), coded = index_file(plain);
    const std::vector<float> a = picture(path, shown.height, shown.width);
    const std::vector<float> b = picture(plain, coded.height, coded.width);
    double off = 0;
    for (int y = 0; y < coded.height; ++y) {
      for (int x = 0; x < coded.width; ++x) {
        const int sx = m[0] < 0 ? coded.width - 1 - x : m[0] * x + m[2] * y, sy = m[1] * x + m[3] * y;
        off = worse(off, std::fabs(a[static_cast<size_t>(sy * shown.width + sx) * 3] -
                                   b[static_cast<size_t>(y * coded.width + x) * 3]));
      }
    }
    check(shown.times.size() == 60 && off < 0.02, name + " is off by " + std::to_string(off));
  }
  const VideoIndex moving = index_file(data + "/two_still_first.mp4");
  check(moving.codec == "h264" && moving.times.size() == 60, "the moving stream of two_still_first.mp4");
  check_throws("ERR_VSSL_VIDEO_OPEN", "animated WebP is not supported",
               [&] { index_file(data + "/anim.webp"); });
}

}  // namespace
}  // namespace vssl::video

int main() {
  using namespace vssl::video;
  if (!libav_version().empty()) {
    const TemporaryFolder folder;
    test_display_matrices(folder);
    test_exif(folder);
    test_sei(folder);
    test_streams(folder);
    test_color(folder);
    test_names(folder);
    test_broken_pictures(folder);
    test_animations(folder);
    if (const char* data = std::getenv("VSSL_TEST_DATA");
        data && std::filesystem::exists(std::string(data) + "/numbered"))
      test_numbered_files(std::string(data) + "/numbered", folder);
  }
  return vssl::finish();
}
