#include "flow.h"

#include <dlfcn.h>

#include <cstring>
#include <mutex>

#include "file_bytes.h"
#include "flow/flow_library.h"
#include "video.h"

namespace vssl::video {

namespace {

struct LoadedFlow {
  const FlowLibrary* library = nullptr;
  std::string reason;  // why there is none
};

#ifdef VSSL_WITH_FLOW

// The module stands beside the file that holds this function.
LoadedFlow load_flow() {
  Dl_info self{};
  std::string path = "vssl_flow.so";
  if (dladdr(reinterpret_cast<void*>(&load_flow), &self) != 0 && self.dli_fname != nullptr) {
    const std::string file = self.dli_fname;
    const size_t slash = file.rfind('/');
    path = (slash == std::string::npos ? "." : file.substr(0, slash)) + "/" + path;
  }
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) return {nullptr, dlerror()};
  void* entry = dlsym(module, kFlowLibraryEntry);
  if (entry == nullptr) return {nullptr, path + " is no flow module"};
  const FlowLibrary* library = reinterpret_cast<FlowLibraryEntry>(entry)();
  if (library->version != kFlowLibraryVersion) return {nullptr, path + " belongs to another version"};
  return {library, ""};
}

#else

LoadedFlow load_flow() { return {nullptr, "this build was made without OpenCV"}; }

#endif

const LoadedFlow& loaded_flow() {
  static const LoadedFlow flow = load_flow();
  return flow;
}

// 8-bit brightness, rows of width bytes: the luma plane as it is, or a weighted sum of the colours.
const uint8_t* brightness(std::vector<uint8_t>& scratch, const Picture& picture) {
  if (picture.model != ColorModel::kRgb) return picture.row(0, 0);
  const int64_t n = static_cast<int64_t>(picture.plane[0].width) * picture.plane[0].height;
  const uint8_t *r = picture.row(0, 0), *g = picture.row(1, 0), *b = picture.row(2, 0);
  scratch.resize(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    scratch[i] = static_cast<uint8_t>((77 * r[i] + 150 * g[i] + 29 * b[i] + 128) >> 8);
  return scratch.data();
}

}  // namespace

std::string flow_version() {
  const LoadedFlow& flow = loaded_flow();
  return flow.library ? std::string("OpenCV ") + flow.library->opencv : "";
}

std::string flow_fault() { return loaded_flow().reason; }

void require_flow() {
  const LoadedFlow& flow = loaded_flow();
  if (flow.library) return;
  throw Error("ERR_VSSL_NO_FLOW",
              "optical flow is not available (" + flow.reason +
                  "); install OpenCV's video module (on Debian: apt-get install libopencv-video-dev) and run "
                  "'npx vssl-native build', or use frame differences, which need nothing more");
}

void compute_flow(FlowField& out, const Picture& from, const Picture& to) {
  require_flow();
  const Picture::Plane& plane = from.plane[0];
  if (plane.width != to.plane[0].width || plane.height != to.plane[0].height || from.model != to.model)
    throw Error("ERR_VSSL_VIDEO_DECODE", "the pictures change their size or format, so there is no flow");
  if (plane.width < kLeastFlowSide || plane.height < kLeastFlowSide)
    throw Error("ERR_VSSL_VIDEO_DECODE", "optical flow needs pictures of at least " +
                                             std::to_string(kLeastFlowSide) + " pixels a side, these have " +
                                             std::to_string(plane.width) + " x " +
                                             std::to_string(plane.height) + "; lower data.shrink");
  out.width = plane.width;
  out.height = plane.height;
  out.extent_x = plane.extent_x;
  out.extent_y = plane.extent_y;
  out.uv.assign(2 * static_cast<size_t>(plane.width) * plane.height, 0.0f);
  thread_local std::vector<uint8_t> first, second;
  const uint8_t *a = brightness(first, from), *b = brightness(second, to);
  if (std::memcmp(a, b, static_cast<size_t>(plane.width) * plane.height) == 0) return;  // nothing moves
  char reason[512] = "";
  if (!loaded_flow().library->compute(out.uv.data(), a, b, plane.width, plane.height, reason, sizeof reason))
    throw Error("ERR_VSSL_VIDEO_DECODE", std::string("optical flow failed: ") + reason);
}

void read_flow(FlowField& out, const FlowFile& file, int64_t position) {
  const int64_t values = 2 * file.width * file.height, bytes = 2 * values;
  const int64_t at = file.offset + position * bytes;
  const FileBytes stored(file.path);
  thread_local std::vector<uint16_t> halves;
  const bool held = stored.reaches(at + bytes);
  if (held) halves.resize(static_cast<size_t>(values));
  if (!held || !stored.read(reinterpret_cast<uint8_t*>(halves.data()), bytes, at))
    throw Error("ERR_VSSL_VIDEO_DECODE", "the file of flow " + file.path + " ends before this field");
  out.width = static_cast<int>(file.width);
  out.height = static_cast<int>(file.height);
  out.extent_x = out.width;
  out.extent_y = out.height;
  out.uv.resize(static_cast<size_t>(values));
  for (size_t i = 0; i < out.uv.size(); ++i) out.uv[i] = half_to_float(halves[i]);
}

float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 31u, fraction = half & 1023u;
  uint32_t bits = 0;
  if (exponent == 31) {
    bits = sign | 0x7F800000u | fraction << 13;
  } else if (exponent != 0) {
    bits = sign | (exponent + 112) << 23 | fraction << 13;
  } else {  // zero or below the normal numbers: fraction 2^-24
    const float small = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -small : small;
  }
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace vssl::video
