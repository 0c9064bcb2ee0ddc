#include "libav.h"

#include "../common/ending.h"
#include "open_error.h"
#include "video.h"

#ifdef VSSL_WITH_LIBAV

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

namespace vssl::video {

namespace {

void silence_libav() {
  static std::once_flag once;
  // Broken files are reported as errors with a reason; libav's own chatter on stderr would spoil the log.
  std::call_once(once, [] { av_log_set_callback([](void*, int, const char*, va_list) {}); });
}

// A demuxer may search a damaged file for long: not beyond its time, and not once the process ends.
int interrupt(void* opaque) {
  return ending::begun || static_cast<const Deadline*>(opaque)->passed() ? 1 : 0;
}

// Formats that are lists of other files or text art, which a mislabelled text file would turn into "video".
bool is_refused_format(const AVInputFormat* format) {
  static const char* const kRefused[] = {"hls", "concat", "dash", "tty", "imf", "sdp", "rtsp", "webvtt"};
  for (const char* name : kRefused) {
    if (std::strcmp(format->name, name) == 0) return true;
  }
  return false;
}

struct IoCloser {
  void operator()(AVIOContext* c) const { avio_close(c); }
};

std::string without_patterns(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::strchr("%*?{", c) != nullptr; }, '_');
  return name;
}

// libav takes a name with % or ? in it for the pattern of many pictures' names, whatever the file holds. Of
// such a file the format is found from its content, under a name without these; null: libav may find it
// itself.
const AVInputFormat* format_of_pattern(const std::string& path, AVIOInterruptCB* interrupt_callback) {
  if (path.find_first_of("%*?{") == std::string::npos) return nullptr;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  AVIOContext* raw = nullptr;
  const int opened = avio_open2(&raw, ("file:" + path).c_str(), AVIO_FLAG_READ, interrupt_callback, &options);
  av_dict_free(&options);
  if (opened < 0) return nullptr;  // opening it again says why
  const std::unique_ptr<AVIOContext, IoCloser> io(raw);
  const AVInputFormat* format = nullptr;
  const std::string plain = without_patterns(path);
  return av_probe_input_buffer2(io.get(), &format, plain.c_str(), nullptr, 0, 0) < 0 ? nullptr : format;
}

// FFmpeg's reader of single WebP pictures takes an animation too, and fails on it without saying why.
bool is_animated_webp(AVFormatContext* format) {
  if (std::strcmp(format->iformat->name, "webp_pipe") != 0 || !format->pb) return false;
  // "RIFF", size, "WEBP", "VP8X", size, flags
  constexpr int kFlags = 20, kAnimation = 2;
  uint8_t head[kFlags + 1] = {0};
  const int64_t place = avio_tell(format->pb);
  const bool read = avio_seek(format->pb, 0, SEEK_SET) == 0 &&
                    avio_read(format->pb, head, sizeof(head)) == static_cast<int>(sizeof(head));
  avio_seek(format->pb, place, SEEK_SET);
  return read && std::memcmp(head + 12, "VP8X", 4) == 0 && (head[kFlags] & kAnimation);
}

// Opens the file and reads the headers of its streams.
void open_streams(Input& input, const Origin& origin) {
  input.format.reset();
  const std::shared_ptr<const Bytes> bytes = origin.bytes();
  input.io = bytes ? std::make_unique<BytesIo>(bytes, input.deadline.get()) : nullptr;
  AVFormatContext* raw = avformat_alloc_context();
  if (!raw) throw std::bad_alloc();
  if (input.io) input.io->attach(raw);
  raw->interrupt_callback.callback = interrupt;
  raw->interrupt_callback.opaque = input.deadline.get();
  AVDictionary* options = nullptr;
  // What is read by our hand may open nothing at all: no protocol has the name "none".
  av_dict_set(&options, "protocol_whitelist", bytes ? "none" : "file", 0);
  av_dict_set(&options, "pattern_type", "none", 0);  // of the one format that has patterns
  input.deadline->restart(kOpenSeconds);
  const AVInputFormat* format = bytes ? nullptr : format_of_pattern(origin.path, &raw->interrupt_callback);
  // The prefix keeps names such as "concat:a|b" or "http://..." plain file names.
  const std::string name = origin.part ? without_patterns(origin.part->name) : "";
  const std::string url = bytes ? name : "file:" + origin.path;
  const int opened = avformat_open_input(&raw, url.c_str(), format, &options);
  av_dict_free(&options);
  if (opened < 0) {  // libav has freed the context
    throw open_error("cannot open as video", AVUNERROR(opened), av_reason(opened));
  }
  input.format.reset(raw);
  if (is_refused_format(raw->iformat)) {
    throw Error("ERR_VSSL_VIDEO_OPEN", std::string("cannot open as video: '") + raw->iformat->name +
                                           "' is a list or text, not a video file");
  }
  if (is_animated_webp(raw)) {
    throw Error(
        "ERR_VSSL_VIDEO_OPEN",
        "animated WebP is not supported by the linked FFmpeg; convert it, to APNG or MP4 for instance");
  }
  input.deadline->restart(kOpenSeconds);
  const int found = avformat_find_stream_info(raw, nullptr);
  if (found < 0) throw Error("ERR_VSSL_VIDEO_OPEN", "cannot read the streams: " + av_reason(found));
}

bool is_video(const AVStream* s) {
  return s->codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
         !(s->disposition & AV_DISPOSITION_ATTACHED_PIC);  // cover art
}

int count_videos(const AVFormatContext* format) {
  int count = 0;
  for (unsigned i = 0; i < format->nb_streams; ++i) count += is_video(format->streams[i]);
  return count;
}

// For each stream whether it has more than one picture among the file's first packets. Reads on: the file has
// to be opened again.
std::vector<bool> find_moving(const Input& input, int videos) {
  constexpr int kPackets = 500;  // of video streams; a still one gives its only picture anywhere among them
  AVFormatContext* format = input.format.get();
  for (unsigned i = 0; i < format->nb_streams; ++i) {
    if (!is_video(format->streams[i])) format->streams[i]->discard = AVDISCARD_ALL;
  }
  std::vector<int> pictures(format->nb_streams, 0);
  const PacketPtr packet = make_packet();
  input.deadline->restart(kOpenSeconds);
  int moving = 0;
  for (int read = 0; read < kPackets && moving < videos; ++read) {
    if (av_read_frame(format, packet.get()) < 0) break;
    const auto i = static_cast<size_t>(packet->stream_index);
    if (i < pictures.size() && is_video(format->streams[i])) moving += ++pictures[i] == 2;
    av_packet_unref(packet.get());
  }
  std::vector<bool> out;
  for (const int n : pictures) out.push_back(n > 1);
  return out;
}

// The largest moving stream; one that the file marks as its default before others. `moving` empty: all are.
int best_video_stream(const AVFormatContext* format, const std::vector<bool>& moving) {
  int best = -1;
  int64_t best_score = -1;
  for (unsigned i = 0; i < format->nb_streams; ++i) {
    const AVStream* s = format->streams[i];
    if (!is_video(s)) continue;
    const int64_t area = static_cast<int64_t>(s->codecpar->width) * s->codecpar->height;
    int64_t score =
        std::min(area, int64_t{1} << 60) + ((s->disposition & AV_DISPOSITION_DEFAULT) ? int64_t{1} << 61 : 0);
    if (i < moving.size() && moving[i]) score += int64_t{1} << 62;
    if (score > best_score) {
      best = static_cast<int>(i);
      best_score = score;
    }
  }
  return best;
}

}  // namespace

FramePtr make_frame() {
  FramePtr frame(av_frame_alloc());
  if (!frame) throw std::bad_alloc();
  return frame;
}

PacketPtr make_packet() {
  PacketPtr packet(av_packet_alloc());
  if (!packet) throw std::bad_alloc();
  return packet;
}

std::string av_reason(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {0};
  if (av_strerror(code, text, sizeof(text)) < 0) return "error " + std::to_string(code);
  return text;
}

void Deadline::restart(double seconds) {
  end_ = std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                std::chrono::duration<double>(seconds));
}

bool Deadline::passed() const { return std::chrono::steady_clock::now() > end_; }

Input open_input(const Origin& origin) {
  silence_libav();
  Input input;
  input.deadline = std::make_unique<Deadline>();
  open_streams(input, origin);
  input.videos = count_videos(input.format.get());
  std::vector<bool> moving;
  if (input.videos > 1) {
    moving = find_moving(input, input.videos);
    open_streams(input, origin);
  }
  AVFormatContext* raw = input.format.get();
  input.stream = best_video_stream(raw, moving);
  if (input.stream < 0) {
    throw Error("ERR_VSSL_VIDEO_NO_STREAM", "the file has no video stream (audio, or cover art only)");
  }
  for (unsigned i = 0; i < raw->nb_streams; ++i) {
    if (static_cast<int>(i) != input.stream) raw->streams[i]->discard = AVDISCARD_ALL;
  }
  return input;
}

int read_video_packet(AVPacket* packet, const Input& input) {
  constexpr int kMaxDamaged = 1000;  // errors stepped over within one call
  int damaged = 0;
  input.deadline->restart(kReadSeconds);
  for (;;) {
    const int got = av_read_frame(input.format.get(), packet);
    if (got >= 0) {
      if (packet->stream_index == input.stream) return 0;
      av_packet_unref(packet);
      if (input.deadline->passed()) return AVERROR_EXIT;
      continue;
    }
    if (got == AVERROR_EOF || got == AVERROR_EXIT || input.deadline->passed()) return got;
    if (got != AVERROR_INVALIDDATA && got != AVERROR(EAGAIN)) return got;
    const AVIOContext* io = input.format->pb;
    if (++damaged > kMaxDamaged || (io && io->eof_reached)) return AVERROR_EOF;
  }
}

CodecPtr open_decoder(const AVCodecParameters& parameters, AVRational time_base,
                      const std::vector<uint8_t>* headers) {
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  if (!codec) {
    throw Error("ERR_VSSL_VIDEO_OPEN", std::string("the linked FFmpeg has no decoder for '") +
                                           avcodec_get_name(parameters.codec_id) + "'");
  }
  CodecPtr context(avcodec_alloc_context3(codec));
  if (!context) throw std::bad_alloc();
  int rc = avcodec_parameters_to_context(context.get(), &parameters);
  if (rc >= 0 && headers) {
    av_freep(&context->extradata);
    context->extradata_size = 0;
    context->extradata = static_cast<uint8_t*>(av_mallocz(headers->size() + AV_INPUT_BUFFER_PADDING_SIZE));
    if (!context->extradata) throw std::bad_alloc();
    std::copy(headers->begin(), headers->end(), context->extradata);
    context->extradata_size = static_cast<int>(headers->size());
  }
  if (rc >= 0) {
    context->pkt_timebase = time_base;
    context->thread_count = 1;  // clips are the unit of parallel work; frame threads would only add delay
    context->max_pixels = int64_t{1} << 27;  // a forged header must not ask for all the memory
    rc = avcodec_open2(context.get(), codec, nullptr);
  }
  if (rc < 0) {
    throw Error("ERR_VSSL_VIDEO_OPEN",
                std::string("cannot start the decoder '") + codec->name + "': " + av_reason(rc));
  }
  return context;
}

bool is_intra_only(const AVCodecParameters& parameters) {
  const AVCodecDescriptor* descriptor = avcodec_descriptor_get(parameters.codec_id);
  return descriptor && (descriptor->props & AV_CODEC_PROP_INTRA_ONLY) != 0;
}

std::string libav_version() {
  const unsigned v = avcodec_version();
  return std::string(av_version_info()) + " (libavcodec " + std::to_string(v >> 16) + "." +
         std::to_string((v >> 8) & 255) + "." + std::to_string(v & 255) + ")";
}

}  // namespace vssl::video

#else

namespace vssl::video {
std::string libav_version() { return ""; }
}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
