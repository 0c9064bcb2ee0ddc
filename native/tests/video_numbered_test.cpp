// Pictures that show their own number: whatever the container says, and in whatever order clips are asked
// for, each picture must be the one that its time means. Files made here stand for their kinds; a folder of
// further ones is read where VSSL_TEST_DATA has it.
#include "video_numbered.h"
#if __has_include(<libavformat/avformat.h>)
#include "video_numbered_files.h"
#endif

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <string>

namespace vssl::video {
namespace {

// What a file of the folder must give: the numbers on its time axis, or that it may be left out.
struct Truth {
  int first, last;      // numbers of its pictures, one after another
  double begins, ends;  // first and last time, seconds; -1: not told
};

std::vector<int> numbers_from(int first, int count) {
  std::vector<int> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(first + i);
  return numbers;
}

#if __has_include(<libavformat/avformat.h>)

// The encoder writes beyond its memory for pictures below 64 x 64, and to stderr.
void use_x265(EncoderSettings& settings) {
  settings.options = "x265-params=log-level=none";
  settings.width = 128;
  settings.height = 96;
}

void check_warns(const std::string& path, const std::string& part) {
  std::string all;
  for (const std::string& warning : index_file(path).warnings) all += warning + "; ";
  check(part.empty() ? all.empty() : all.find(part) != std::string::npos, path + " warns: " + all);
}

// Leaves the headers of MPEG-4 in the first packet alone: the others begin with their picture.
void strip_later_headers(TestStream& stream) {
  const uint8_t picture[] = {0, 0, 1, 0xB6};
  for (size_t i = 1; i < stream.packets.size(); ++i) {
    AVPacket* p = stream.packets[i].get();
    const uint8_t* at = std::search(p->data, p->data + p->size, picture, picture + 4);
    const auto skipped = static_cast<int>(at - p->data);
    p->data += skipped;
    p->size -= skipped;
  }
}

// Headers and palettes that come once.
void test_states(const TemporaryFolder& folder) {
  EncoderSettings settings;
  settings.global_header = false;
  TestStream joined = encode_numbers(0, 40, settings);
  settings.width = 96;  // nothing of it can be read by the first headers
  settings.height = 72;
  TestStream second = encode_numbers(40, 40, settings);
  strip_later_headers(joined);
  strip_later_headers(second);
  append_stream(joined, std::move(second), 40, false);
  write_stream(folder.file("headers.ts"), joined);
  check_every_picture(folder.file("headers.ts"), numbers_from(0, 80));
  if (has_encoder("libx264")) {
    EncoderSettings plain, rich;
    plain.codec = rich.codec = "libx264";
    plain.options = "x264-params=cabac=0\\:ref=1\\:8x8dct=0\\:scenecut=0";
    rich.options = "x264-params=cabac=1\\:ref=4\\:8x8dct=1\\:scenecut=0";
    TestStream boxed = encode_numbers(0, 40, plain);
    append_stream(boxed, encode_numbers(40, 40, rich), 40, true);
    write_stream(folder.file("headers.flv"), boxed);
    check_every_picture(folder.file("headers.flv"), numbers_from(0, 80));
  }
  // A palette of its own in the first half, another in the second: each told once.
  TestStream pictures;
  pictures.parameters = encode_numbers(0, 1, EncoderSettings{}).parameters;
  AVCodecParameters* p = pictures.parameters.get();
  p->codec_id = AV_CODEC_ID_RAWVIDEO;
  p->format = AV_PIX_FMT_PAL8;
  p->bits_per_coded_sample = 8;
  p->extradata_size = 0;
  for (int n = 0; n < 30; ++n) {
    TestPacket packet(av_packet_alloc());
    av_new_packet(packet.get(), 64 * 48);
    for (int y = 0; y < 48; ++y) {
      for (int x = 0; x < 64; ++x) packet->data[y * 64 + x] = (n >> (4 * (y / 16) + x / 16)) & 1 ? 7 : 9;
    }
    packet->pts = packet->dts = n;
    packet->flags = AV_PKT_FLAG_KEY;
    if (n == 0) {
      auto* palette = reinterpret_cast<uint32_t*>(
          av_packet_new_side_data(packet.get(), AV_PKT_DATA_PALETTE, AVPALETTE_SIZE));
      for (int i = 0; i < 256; ++i) palette[i] = i == 7 ? 0xFFE4E4E4u : 0xFF1C1C1Cu;
    }
    pictures.packets.push_back(std::move(packet));
  }
  for (const std::string suffix : {".mov", ".avi"}) {
    write_stream(folder.file("palette" + suffix), pictures, "", [&](AVStream* s) {
      s->codecpar->codec_tag = suffix == ".mov" ? MKTAG('r', 'a', 'w', ' ') : 0;
    });
    check_every_picture(folder.file("palette" + suffix), numbers_from(0, 30));
  }
}

// Containers that call every packet a key frame, and gradual refreshes that are called key frames.
void test_false_keys(const TemporaryFolder& folder) {
  struct Kind {
    std::string codec, file;
    int b_frames;
  };
  for (const Kind& kind :
       {Kind{"mpeg4", "mpeg4.mp4", 0}, Kind{"mpeg4", "mpeg4b.mkv", 2}, Kind{"mpeg2video", "mpeg2.mkv", 2},
        Kind{"flv", "flv1.flv", 0}, Kind{"msmpeg4", "msmpeg4.avi", 0}, Kind{"libx264", "h264.mp4", 2},
        Kind{"libx265", "hevc.mp4", 2}, Kind{"libvpx", "vp8.mkv", 0}}) {
    if (!has_encoder(kind.codec)) continue;
    EncoderSettings settings;
    settings.codec = kind.codec;
    settings.gop = 15;
    settings.b_frames = kind.b_frames;
    if (kind.codec == "libx265") use_x265(settings);
    TestStream stream = encode_numbers(0, 60, settings);
    for (const TestPacket& p : stream.packets) p->flags |= AV_PKT_FLAG_KEY;
    const std::string path = folder.file("keys_" + kind.file);
    write_stream(path, stream);
    check_every_picture(path, numbers_from(0, 60));
    const VideoIndex index = index_file(path);
    check(index.end - index.times.front() < 2.6, kind.file + " lasts as long as its pictures");
  }
  if (has_encoder("libx264")) {
    EncoderSettings settings;
    settings.codec = "libx264";
    settings.width = 320;
    settings.height = 240;
    settings.gop = 20;
    settings.options = "intra-refresh=1";
    write_stream(folder.file("refresh.mp4"), encode_numbers(0, 90, settings));
    check_every_picture(folder.file("refresh.mp4"), numbers_from(0, 90));
  }
}

// Recordings that were cut in the middle of a group of pictures.
void test_cut_start(const TemporaryFolder& folder) {
  for (const std::string codec : {"mpeg2video", "libx264", "libx265"}) {
    if (!has_encoder(codec)) continue;
    EncoderSettings settings;
    settings.codec = codec;
    settings.gop = 20;
    settings.b_frames = 2;
    settings.global_header = false;
    if (codec == "libx265") use_x265(settings);
    TestStream stream = encode_numbers(0, 70, settings);
    stream.packets.erase(stream.packets.begin(), stream.packets.begin() + 7);
    // the first key frame that is left, and the first picture shown after it
    int first = -1;
    for (const TestPacket& p : stream.packets) {
      if (first < 0 && (p->flags & AV_PKT_FLAG_KEY)) first = static_cast<int>(p->pts);
    }
    const std::string path = folder.file("cut_" + codec + ".ts");
    write_stream(path, stream);
    check_every_picture(path, numbers_from(first, 70 - first));
    check_warns(path, "cannot be decoded without what was before");
  }
}

// What clocks do. Matroska keeps any time.
void test_clocks(const TemporaryFolder& folder) {
  const auto make = [](const std::string& codec, int b_frames,
                       const std::function<void(int64_t&, int)>& change) {
    EncoderSettings settings;
    settings.codec = codec;
    settings.b_frames = b_frames;
    settings.gop = codec == "mjpeg" ? 1 : 10;
    if (codec == "mjpeg") settings.format = AV_PIX_FMT_YUVJ420P;
    TestStream stream = encode_numbers(0, 80, settings);
    for (const TestPacket& p : stream.packets) {
      change(p->pts, static_cast<int>(p->pts));
    }
    return stream;
  };
  const auto check_clock = [&](const std::string& name, const TestStream& stream, double ends,
                               const std::string& warns, double begins = 0) {
    const std::string path = folder.file(name + ".mkv");
    write_matroska(path, stream,
                   stream.parameters->codec_id == AV_CODEC_ID_MJPEG ? "V_MJPEG" : "V_MPEG4/ISO/ASP");
    check_every_picture(path, numbers_from(0, 80), begins, ends);
    check_warns(path, warns);
  };
  for (const int64_t jump : {int64_t{25} * 3600, int64_t{25} * 86400 * 365, int64_t{25} * 1'700'000'000}) {
    check_clock("jump" + std::to_string(jump),
                make("mpeg4", 0, [&](int64_t& t, int n) { t += n >= 33 ? jump : 0; }), 3.16,
                "jumps ahead 1 time");
  }
  check_clock("jumps", make("mpeg4", 2, [](int64_t& t, int n) { t += n / 20 * 250'000; }), 3.16,
              "jumps ahead 3 times");
  check_clock("pause", make("mpeg4", 0, [](int64_t& t, int n) { t += n >= 33 ? 25 * 30 : 0; }), 33.16, "");
  check_clock("stray", make("mpeg4", 0, [](int64_t& t, int n) { t += n == 45 ? 900'000 : 0; }), 3.16,
              "1 time stamp");
  check_clock("strays",
              make("mpeg4", 0, [](int64_t& t, int n) { t += n == 20 || n == 61 || n == 62 ? 9000 : 0; }),
              3.16, "3 time stamps");
  check_clock("early", make("mpeg4", 0, [](int64_t& t, int n) { t = n == 65 ? 0 : t; }), 3.16,
              "1 time stamp");
  check_clock("first", make("mpeg4", 0, [](int64_t& t, int n) { t += n == 0 ? 9000 : 1; }), 3.2,
              "1 time stamp", 0.04);
  check_clock("equal", make("mjpeg", 0, [](int64_t& t, int n) { t -= n % 10 == 4 ? 1 : 0; }), 3.16, "");
  // set back: what follows goes on behind
  check_clock("back", make("mpeg4", 0, [](int64_t& t, int n) { t -= n >= 40 ? 40 : 0; }), 3.16, "set back");
  check_clock("back_b", make("mpeg4", 0, [](int64_t& t, int n) { t -= n >= 20 ? 15 : 0; }), 3.16, "set back");
}

// Small packets that share a position in the file: a seek must know which of them it has found.
void test_shared_positions(const TemporaryFolder& folder) {
  for (const std::string codec : {"flv", "wmv1", "mpeg4"}) {
    EncoderSettings settings;
    settings.codec = codec;
    settings.gop = 12;
    const std::string path = folder.file("shared_" + codec + ".asf");
    write_stream(path, encode_numbers(0, 50, settings));
    check_every_picture(path, numbers_from(0, 50));
  }
}

// Pictures of a few bytes are pictures, but in AVI, where such packets mean "nothing new".
void test_small_pictures(const TemporaryFolder& folder) {
  EncoderSettings settings;
  settings.width = 48;
  settings.height = 32;
  settings.still = true;
  const TestStream stream = encode_numbers(5, 6, settings);
  check(stream.packets.back()->size <= 8,
        "a small picture has " + std::to_string(stream.packets.back()->size));
  for (const std::string suffix : {".mp4", ".mkv", ".nut"}) {
    write_stream(folder.file("still" + suffix), stream);
    check_every_picture(folder.file("still" + suffix), {5, 5, 5, 5, 5, 5});
  }
}

// Recordings joined byte by byte: each begins its clock anew.
void test_joined_files(const TemporaryFolder& folder) {
  for (const std::string codec : {"mpeg2video", "libx264"}) {
    if (!has_encoder(codec)) continue;
    EncoderSettings settings;
    settings.codec = codec;
    settings.b_frames = 2;
    settings.global_header = false;
    std::vector<uint8_t> bytes;
    for (const int first : {0, 40, 80}) {
      write_stream(folder.file("part.ts"), encode_numbers(first, 40, settings));
      const std::vector<uint8_t> part = read_bytes(folder.file("part.ts"));
      bytes.insert(bytes.end(), part.begin(), part.end());
    }
    const std::string path = folder.file("joined_" + codec + ".ts");
    write_bytes(path, bytes);
    check_every_picture(path, numbers_from(0, 120));
    check_warns(path, "set back");
  }
}

#endif

// Every picture of the file comes.
void check_all_usable(const std::string& path) {
  const VideoIndex index = index_file(path);
  std::vector<size_t> order;
  for (size_t i = 0; i < index.times.size(); ++i) order.push_back(i);
  std::vector<ClipFailure> failures;
  load_in_order(path, index, order, 2, 0, &failures);
  check(failures.empty(), path + ": " + (failures.empty() ? "" : failures[0].reason));
}

void test_folder(const std::string& folder) {
  const std::map<std::string, Truth> truths = {
      {"ak_flv1.flv", {0, 59, 0, 2.36}},      {"base.mp4", {0, 59, 0, 2.36}},
      {"cut_264.ts", {100, 149, 5.48, 7.44}}, {"dup_mj.mkv", {0, 99, 0, 3.96}},
      {"flv_newhdr.flv", {0, 79, 0, 3.16}},   {"intra_refresh_160.mp4", {0, 89, 0, 3.56}},
      {"jump_day.mkv", {0, 79, 0, 3.16}},     {"jump_epoch.mkv", {0, 79, 0, 3.16}},
      {"jump_year.mkv", {0, 79, 0, 3.16}},    {"late.ts", {0, 59, 1.48, 3.84}},
      {"mp4_two_stsd.mp4", {0, 79, 0, 3.16}}, {"nostss_hevc.mp4", {0, 59, 0, 2.36}},
      {"pal8_raw.mov", {0, 19, 0, 0.76}},     {"qtrle_gray.mov", {0, 39, 0, 1.56}},
      {"stray.mkv", {0, 79, 0, 3.16}},        {"two_still_first.mp4", {0, 59, 0, 2.36}}};
  for (const auto& [name, truth] : truths) {
    check_every_picture(folder + "/" + name, numbers_from(truth.first, truth.last - truth.first + 1),
                        truth.begins, truth.ends);
  }
  // as it is shown: mirrored left to right, so that the columns' bits change places
  std::vector<int> mirrored;
  for (int n = 0; n < 60; ++n) {
    int m = 0;
    for (int bit = 0; bit < kColumns * kRows; ++bit)
      m |= ((n >> bit) & 1) << (bit / kColumns * kColumns + kColumns - 1 - bit % kColumns);
    mirrored.push_back(m);
  }
  check_every_picture(folder + "/mx_hflip.mp4", mirrored, 0, 2.36);
  const VideoIndex turned = index_file(folder + "/mx_transpose.mp4");
  check(turned.width == 48 && turned.height == 64, "a transposed picture stands upright");
  check_throws("ERR_VSSL_VIDEO_OPEN", "animated WebP", [&] { index_file(folder + "/anim.webp"); });
  for (const std::string name : {"intra_refresh_320.mp4", "vr8k.mp4"}) check_all_usable(folder + "/" + name);
}

}  // namespace
}  // namespace vssl::video

int main() {
  using namespace vssl::video;
  if (!libav_version().empty()) {
#if __has_include(<libavformat/avformat.h>)
    const TemporaryFolder folder;
    test_states(folder);
    test_false_keys(folder);
    test_cut_start(folder);
    test_clocks(folder);
    test_small_pictures(folder);
    test_joined_files(folder);
    test_shared_positions(folder);
#endif
    if (const char* data = std::getenv("VSSL_TEST_DATA")) test_folder(std::string(data) + "/numbered");
  }
  return vssl::finish();
}
