// Encodes RGB frames: into a video file, for demo data and tests; into the bytes of one, a stretch at a time,
// for training copies; one of them as JPEG.
#include <cerrno>
#include <cstdio>
#include <new>
#include <utility>

#include "encode.h"
#include "index.h"
#include "writer.h"

namespace vssl::video {

#ifdef VSSL_WITH_LIBAV

namespace {

// A file on disk, removed unless it was finished.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path) : path_(path) {
    const int rc = avio_open(&bytes_, ("file:" + path).c_str(), AVIO_FLAG_WRITE);
    if (rc < 0) fail_to_write("cannot create the file", rc);
  }
  ~OutputFile() {
    if (bytes_) avio_closep(&bytes_);
    if (!finished_) std::remove(path_.c_str());
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  AVIOContext* bytes() { return bytes_; }
  void finish() {
    const int rc = avio_closep(&bytes_);
    if (rc < 0) fail_to_write("cannot finish the file", rc);  // a full disk shows here
    finished_ = true;
  }

 private:
  const std::string path_;
  AVIOContext* bytes_ = nullptr;
  bool finished_ = false;
};

// The bytes of a file in memory, until somebody takes them. Containers go back to what they left open.
class OutputParts {
 public:
  OutputParts() {
    auto* buffer = static_cast<uint8_t*>(av_malloc(kBuffer));
    if (buffer) context_ = avio_alloc_context(buffer, kBuffer, 1, this, nullptr, write, seek);
    if (context_) return;
    av_free(buffer);
    throw std::bad_alloc();
  }
  ~OutputParts() {
    av_freep(&context_->buffer);
    avio_context_free(&context_);
  }
  OutputParts(const OutputParts&) = delete;
  OutputParts& operator=(const OutputParts&) = delete;

  AVIOContext* context() { return context_; }
  std::vector<FilePart> take() {
    avio_flush(context_);
    if (context_->error < 0) fail_to_write("cannot keep the file", context_->error);
    return std::exchange(parts_, {});
  }

 private:
#if LIBAVFORMAT_VERSION_MAJOR < 61
  using Bytes = uint8_t*;
#else
  using Bytes = const uint8_t*;
#endif
  static int write(void* self, Bytes bytes, int size) {
    try {
      static_cast<OutputParts*>(self)->put(bytes, size);
    } catch (const std::bad_alloc&) {
      return AVERROR(ENOMEM);  // libav is C, which no exception may pass
    }
    return size;
  }
  void put(const uint8_t* bytes, int size) {
    const bool goes_on =
        !parts_.empty() && parts_.back().at + static_cast<int64_t>(parts_.back().bytes.size()) == place_;
    if (!goes_on) parts_.push_back({place_, {}});
    std::vector<uint8_t>& end = parts_.back().bytes;
    end.insert(end.end(), bytes, bytes + size);
    place_ += size;
  }
  static int64_t seek(void* self, int64_t offset, int whence) {
    if ((whence & ~AVSEEK_FORCE) != SEEK_SET || offset < 0) return AVERROR(EINVAL);
    return static_cast<OutputParts*>(self)->place_ = offset;
  }

  static constexpr int kBuffer = 1 << 16;
  AVIOContext* context_ = nullptr;
  std::vector<FilePart> parts_;
  int64_t place_ = 0;
};

void check_times(int64_t t, const std::vector<double>& times) {
  if (t < 1) fail_to_write("expected frames of shape (T, H, W, 3), none empty");
  if (times.empty()) return;
  if (static_cast<int64_t>(times.size()) != t) fail_to_write("expected one time per frame");
  for (size_t i = 1; i < times.size(); ++i) {
    if (!(times[i] >= times[i - 1] + 0.001))
      fail_to_write("expected times that rise by a millisecond or more");
  }
  if (!(times.front() >= 0 && times.back() < 1e6)) fail_to_write("expected times from 0 to 10^6 seconds");
}

}  // namespace

void write_video(const std::string& path, const uint8_t* frames, int64_t t, int64_t h, int64_t w,
                 const WriteOptions& o) {
  check_writable(h, w, o);
  check_times(t, o.times);
  VideoOutput output(nullptr, ("file:" + path).c_str(), h, w, o);
  OutputFile file(path);
  output.begin(file.bytes());
  for (int64_t i = 0; i < t; ++i) output.add(frames + i * h * w * 3);
  output.finish();
  file.finish();
}

struct VideoWriter::Impl {
  Impl(int64_t h, int64_t w, const WriteOptions& o)
      : frame_bytes(h * w * 3), output(kContainer, nullptr, h, w, o) {
    output.begin(bytes.context());
  }

  static constexpr const char* kContainer = "mov";

  const int64_t frame_bytes;
  OutputParts bytes;
  VideoOutput output;
  int64_t frames = 0;
  bool ended = false;  // finished, or failed
};

VideoWriter::VideoWriter(int64_t h, int64_t w, const WriteOptions& o) {
  check_writable(h, w, o);
  impl_ = std::make_unique<Impl>(h, w, o);
}

VideoWriter::~VideoWriter() = default;

std::vector<FilePart> VideoWriter::add(const uint8_t* frames, int64_t bytes) {
  if (impl_->ended) throw Error("ERR_VSSL_INVALID_ARGUMENT", "expected frames before the end of the file");
  if (bytes < 1 || bytes % impl_->frame_bytes != 0)
    throw Error("ERR_VSSL_INVALID_ARGUMENT", "expected whole frames of " +
                                                 std::to_string(impl_->frame_bytes) + " bytes but received " +
                                                 std::to_string(bytes));
  const int64_t count = bytes / impl_->frame_bytes;
  impl_->ended = true;  // unless all goes well
  impl_->frames += count;
  if (impl_->frames >= kMaxPackets)
    fail_to_write("expected fewer than " + std::to_string(kMaxPackets) +
                  " frames, which is all that is read");
  for (int64_t i = 0; i < count; ++i) impl_->output.add(frames + i * impl_->frame_bytes);
  impl_->ended = false;
  return impl_->bytes.take();
}

std::vector<FilePart> VideoWriter::finish() {
  if (impl_->ended || impl_->frames == 0)
    throw Error("ERR_VSSL_INVALID_ARGUMENT", "expected to finish a file once, after its frames");
  impl_->ended = true;
  impl_->output.finish();
  return impl_->bytes.take();
}

std::vector<uint8_t> encode_jpeg(const uint8_t* rgb, int64_t h, int64_t w, int64_t quality) {
  WriteOptions options;
  options.codec = "mjpeg";
  options.quality = quality;
  check_writable(h, w, options);
  const CodecPtr codec = open_encoder(h, w, options, false);
  EncoderFrames pictures(*codec);
  const PacketPtr packet = make_packet();
  int rc = avcodec_send_frame(codec.get(), pictures.of(rgb, 0));
  if (rc >= 0) rc = avcodec_send_frame(codec.get(), nullptr);
  if (rc >= 0) rc = avcodec_receive_packet(codec.get(), packet.get());
  if (rc < 0) fail_to_write("cannot encode a picture", rc);
  return {packet->data, packet->data + packet->size};
}

#else

namespace {
[[noreturn]] void refuse() {
  throw Error("ERR_VSSL_NO_LIBAV",
              "this build has no video encoder; install FFmpeg's development packages and build again");
}
}  // namespace

void write_video(const std::string&, const uint8_t*, int64_t, int64_t, int64_t, const WriteOptions&) {
  refuse();
}

struct VideoWriter::Impl {};
VideoWriter::VideoWriter(int64_t, int64_t, const WriteOptions&) { refuse(); }
VideoWriter::~VideoWriter() = default;
std::vector<FilePart> VideoWriter::add(const uint8_t*, int64_t) { refuse(); }
std::vector<FilePart> VideoWriter::finish() { refuse(); }

std::vector<uint8_t> encode_jpeg(const uint8_t*, int64_t, int64_t, int64_t) { refuse(); }

#endif

}  // namespace vssl::video
