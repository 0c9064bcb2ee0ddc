// Encoded files in memory, and within an archive: the same index and the same pictures as from disk, and
// nothing else is ever opened.
#include <algorithm>
#include <cstring>
#include <random>
#include <thread>

#include "../video/memory_file.h"
#include "video_file_checks.h"
#include "video_testing.h"

namespace vssl::video {
namespace {

Value bytes_source(int64_t id) { return Value(Value::Object{{"kind", Value("bytes")}, {"id", Value(id)}}); }

// In pieces of uneven sizes, as they come from a network.
int64_t add_bytes(Loader& loader, const std::vector<uint8_t>& bytes, size_t piece = 70'001) {
  const int64_t id = loader.add_memory_file();
  for (size_t at = 0; at < bytes.size(); at += piece)
    loader.append_memory_file(id, bytes.data() + at,
                              static_cast<int64_t>(std::min(piece, bytes.size() - at)));
  return id;
}

// The bytes within a larger file, beside others that look like the end or the beginning of a video.
Value member_source(const std::string& archive, const std::vector<uint8_t>& bytes, const std::string& name) {
  constexpr int64_t kBefore = 5'000;
  std::vector<uint8_t> all(bytes.end() - std::min<int64_t>(kBefore, static_cast<int64_t>(bytes.size())),
                           bytes.end());
  all.resize(kBefore);
  all.insert(all.end(), bytes.begin(), bytes.end());
  all.insert(all.end(), bytes.begin(), bytes.end());
  write_bytes(archive, all);
  return Value(Value::Object{{"kind", Value("member")},
                             {"path", Value(archive)},
                             {"offset", Value(kBefore)},
                             {"size", Value(static_cast<int64_t>(bytes.size()))},
                             {"name", Value(name)}});
}

void test_reading() {
  std::mt19937 random(1);
  std::vector<uint8_t> bytes(3'500'000);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(random());
  MemoryFile file;
  for (size_t at = 0; at < bytes.size();) {
    const size_t count = std::min<size_t>(random() % 900'000, bytes.size() - at);
    file.append(bytes.data() + at, static_cast<int64_t>(count));
    at += count;
  }
  check(file.size() == static_cast<int64_t>(bytes.size()), "the size of what was appended");
  std::vector<uint8_t> out(2'500'000);
  bool same = true;
  for (int i = 0; i < 200; ++i) {
    const auto offset = static_cast<int64_t>(random() % (bytes.size() + 1000));
    const auto count = static_cast<int64_t>(random() % out.size());
    const int64_t got = file.read(out.data(), offset, count);
    const int64_t left = std::max<int64_t>(0, static_cast<int64_t>(bytes.size()) - offset);
    same = same && got == std::min(count, left) &&
           (got == 0 || std::memcmp(out.data(), bytes.data() + offset, static_cast<size_t>(got)) == 0);
  }
  check(same, "any stretch of what was appended");
  check(file.read(out.data(), -1, 10) == 0 && file.read(out.data(), int64_t{1} << 62, 10) == 0,
        "nothing outside");
  check(MemoryFile().identity() != MemoryFile().identity(), "each has an identity of its own");
}

void check_same_index(const std::string& name, const VideoIndex& a, const VideoIndex& b) {
  check(a.codec == b.codec && a.width == b.width && a.height == b.height && a.orientation == b.orientation &&
            a.times == b.times && a.keys == b.keys && a.end == b.end && a.warnings == b.warnings,
        "the index of " + name + " is that of the file");
}

std::vector<Value> clips_of(const Value& source) {
  return {number_clip(source, {0, 0.3, 0.9}), number_clip(source, {1.1, 0.2}), number_clip(source, {9, -1})};
}

void test_same_as_file(const TemporaryFolder& folder) {
  struct Kind {
    std::string suffix, codec;
  };
  for (const Kind& kind : std::vector<Kind>{{".mp4", "mpeg4"},  // its table comes at the end: has to seek
                                            {".mov", "mpeg4"},
                                            {".avi", "mpeg4"},
                                            {".mkv", "mpeg4"},
                                            {".ts", "mpeg2video"},
                                            {".mkv", "ffv1"},
                                            {".avi", "mjpeg"}}) {
    const std::string name = kind.codec + kind.suffix, path = folder.file(name);
    WriteOptions o;
    o.codec = kind.codec;
    const std::vector<uint8_t> rgb = numbered_frames(30, kH, kW);
    write_video(path, rgb.data(), 30, kH, kW, o);
    const Value member = member_source(folder.file("archive"), read_bytes(path), name);
    check_same_index(name + " in an archive", index_member(member), index_file(path));
    check_same_index(name + " in an archive, read as a whole", index_member(member, true),
                     index_file(path, true));
    for (const int threads : {1, 3}) {
      Loader loader({threads, 1 << 20});
      const int64_t id = add_bytes(loader, read_bytes(path));
      check_same_index(name + " in memory", loader.index_memory_file(id), index_file(path));
      for (int round = 0; round < 2; ++round) {
        for (const Value& clip : clips_of(file_source(path))) {
          const Value::Object& file_clip = clip.as_object("clip");
          const LoadResult a = load(loader, batch_plan({{clip}}));
          for (const Value& source : {bytes_source(id), member}) {
            Value::Object other_clip = file_clip;
            other_clip["source"] = source;
            const LoadResult b = load(loader, batch_plan({{Value(other_clip)}}));
            check(a.failures.empty() && b.failures.empty() && floats(*a.batch) == floats(*b.batch),
                  "the pictures of " + name + " are those of the file");
          }
        }
      }
      loader.remove_memory_file(id);
    }
  }
}

void test_several(const TemporaryFolder& folder) {
  write_numbered(folder.file("five.mp4"), 5, 5);
  write_numbered(folder.file("thirty.mp4"), 30, 10);
  Loader loader({2, 1 << 20});
  const int64_t five = add_bytes(loader, read_bytes(folder.file("five.mp4")));
  const int64_t thirty = add_bytes(loader, read_bytes(folder.file("thirty.mp4")), 100);
  const Value plan = batch_plan(
      {{number_clip(bytes_source(five), {9, 0}), number_clip(bytes_source(thirty), {9, 0.4})},
       {number_clip(bytes_source(thirty), {0.2, 0.8}), number_clip(bytes_source(thirty), {0.2, 0.8})}});
  for (int round = 0; round < 5; ++round)
    check_numbers("two files in memory", load(loader, plan), {4, 0, 29, 10});
  // Its identity is new, whatever the bytes are.
  loader.remove_memory_file(five);
  const int64_t next = add_bytes(loader, read_bytes(folder.file("thirty.mp4")));
  check(next != five, "numbers are not used again");
  check_numbers("another file in memory",
                load(loader, batch_plan({{number_clip(bytes_source(next), {9, 0})}})), {29, 0});
}

// An archive that ends early, or is none; a part that another has replaced.
void test_members(const TemporaryFolder& folder) {
  const std::vector<uint8_t> good = read_bytes(folder.file("five.mp4")),
                             longer = read_bytes(folder.file("thirty.mp4"));
  const std::string archive = folder.file("members");
  const Value member = member_source(archive, good, "five.mp4");
  Loader loader({2, 1 << 20});
  check_numbers("a member", load(loader, batch_plan({{number_clip(member, {9, 0})}})), {4, 0});
  check_numbers("another in its place",
                load(loader, batch_plan({{number_clip(member_source(archive, longer, "a/b.mp4"), {9, 0})}})),
                {29, 0});
  const std::vector<uint8_t> whole = read_bytes(archive);
  write_bytes(archive, {whole.begin(), whole.begin() + 5'000 + static_cast<int64_t>(good.size()) / 2});
  check_throws("ERR_VSSL_VIDEO_OPEN", "was it cut", [&] { index_member(member); });
  const LoadResult cut = load(loader, batch_plan({{number_clip(member, {0}), number_clip(member, {0.1})}}));
  check(cut.failures.size() == 2 && cut.failures[0].code == "ERR_VSSL_VIDEO_OPEN" &&
            cut.failures[0].path == archive + "/five.mp4",
        "a failed clip names the archive and the member");
  Value::Object broken = member.as_object("member");
  broken["path"] = Value(folder.file("absent.tar"));
  check_throws("ERR_VSSL_VIDEO_OPEN", "no such file", [&] { index_member(Value(broken)); });
  broken["offset"] = Value(int64_t{-1});
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "source.offset", [&] { index_member(Value(broken)); });
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "member", [&] { index_member(file_source(archive)); });
}

void test_misuse(const TemporaryFolder& folder) {
  const std::vector<uint8_t> good = read_bytes(folder.file("five.mp4"));
  Loader loader({2, 0});
  const uint8_t byte = 0;
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "id", [&] { loader.append_memory_file(77, &byte, 1); });
  check_throws("ERR_VSSL_VIDEO_OPEN", "no file with this id", [&] { loader.index_memory_file(77); });
  const int64_t id = add_bytes(loader, good);
  loader.index_memory_file(id);
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "complete", [&] { loader.append_memory_file(id, &byte, 1); });
  loader.remove_memory_file(id);
  loader.remove_memory_file(id);
  const LoadResult gone = load(loader, batch_plan({{number_clip(bytes_source(id), {0})}}));
  check(gone.failures.size() == 1 && gone.failures[0].code == "ERR_VSSL_VIDEO_OPEN" &&
            gone.failures[0].path == "the video",
        "a removed file in memory is a failed clip");
  check_throws("ERR_VSSL_VIDEO_OPEN", "cannot open",
               [&] { loader.index_memory_file(loader.add_memory_file()); });
  // Removed while it is read: what runs is finished or fails by itself.
  for (int round = 0; round < 20; ++round) {
    const int64_t victim = add_bytes(loader, good);
    const Value clip = number_clip(bytes_source(victim), {0, 0.1});
    std::thread remover([&] { loader.remove_memory_file(victim); });
    const LoadResult r = load(loader, batch_plan({{clip, clip, clip, clip, clip, clip}}));
    remover.join();
    for (const ClipFailure& f : r.failures)
      check(f.code == "ERR_VSSL_VIDEO_OPEN", "removed under way: " + f.reason);
  }
  check(true, "files may go at any moment");
}

// Lists of other files, by relative and by absolute name: none is opened, though the videos are there.
void test_lists(const TemporaryFolder& folder) {
  const std::string path = folder.file("five.mp4");
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path);
  Loader loader({1, 0});
  for (const std::string& name : {std::string("five.mp4"), path, "file:" + path}) {
    for (const std::string& list : std::vector<std::string>{
             "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\n" + name + "\n#EXT-X-ENDLIST\n",
             "ffconcat version 1.0\nfile '" + name + "'\n",
             "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
             "a=rtpmap:96 H264/90000\n",
             "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"><Period><AdaptationSet "
             "mimeType=\"video/mp4\"><Representation id=\"0\"><BaseURL>" +
                 name + "</BaseURL></Representation></AdaptationSet></Period></MPD>"}) {
      const std::vector<uint8_t> bytes(list.begin(), list.end());
      // "cannot open", or "cannot read the streams" where the text of a path looks like another format
      check_throws("ERR_VSSL_VIDEO_OPEN", "cannot ",
                   [&] { loader.index_memory_file(add_bytes(loader, bytes)); });
      check_throws("ERR_VSSL_VIDEO_OPEN", "cannot ",
                   [&] { index_member(member_source(folder.file("lists.tar"), bytes, "list.m3u8")); });
    }
  }
  std::filesystem::current_path(before);
}

void test_damaged_bytes(const TemporaryFolder& folder) {
  std::mt19937 random(3);
  for (const std::string name : {"mpeg4.mp4", "mpeg4.mkv", "mpeg2video.ts"}) {
    const std::vector<uint8_t> whole = read_bytes(folder.file(name));
    Loader loader({2, 0});
    for (int i = 0; i < 24; ++i) {
      std::vector<uint8_t> bytes = whole;
      if (i % 2 == 0) bytes.resize(bytes.size() * static_cast<size_t>(i + 1) / 25);
      for (int flip = 0; i % 2 && flip < 8; ++flip)
        bytes[random() % bytes.size()] ^= static_cast<uint8_t>(1 << (random() % 8));
      const std::string path = folder.file("damaged-" + name);
      write_bytes(path, bytes);
      const int64_t id = add_bytes(loader, bytes);
      std::string from_file, from_memory, from_archive;
      VideoIndex a, b, c;
      const auto attempt = [](VideoIndex& out, std::string& why, auto index) {
        try {
          out = index();
        } catch (const Error& e) {
          why = e.code;
        }
      };
      attempt(a, from_file, [&] { return index_file(path); });
      attempt(b, from_memory, [&] { return loader.index_memory_file(id); });
      attempt(c, from_archive,
              [&] { return index_member(member_source(folder.file("a.tar"), bytes, name)); });
      check(from_file == from_memory && from_file == from_archive,
            "damaged bytes fail as the file does: " + from_file + from_memory + from_archive);
      check_same_index("damaged " + name + " in memory", a, b);
      check_same_index("damaged " + name + " in an archive", a, c);
      loader.remove_memory_file(id);
    }
  }
}

}  // namespace
}  // namespace vssl::video

int main() {
  using namespace vssl::video;
  test_reading();
  if (!libav_version().empty()) {
    const TemporaryFolder folder;
    test_same_as_file(folder);
    test_several(folder);
    test_members(folder);
    test_misuse(folder);
    test_lists(folder);
    test_damaged_bytes(folder);
  }
  return vssl::finish();
}
