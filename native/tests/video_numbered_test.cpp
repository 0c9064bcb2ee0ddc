// Pictures that show their own number: whatever the container says, and in whatever order clips are asked
// for, each picture must be the one that its time means. Files made here stand for their kinds; a folder of
// further ones is read where VSSL_TEST_DATA has it.
#include "video_numbered.h"

#include <algorithm>
#include <cstdio>
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
      {"stray.mkv", {0, 79, 0, 3.16}}};
  for (const auto& [name, truth] : truths) {
    std::vector<int> numbers;
    for (int n = truth.first; n <= truth.last; ++n) numbers.push_back(n);
    check_every_picture(folder + "/" + name, numbers, truth.begins, truth.ends);
  }
  for (const std::string name : {"intra_refresh_320.mp4", "vr8k.mp4"}) check_all_usable(folder + "/" + name);
}

}  // namespace
}  // namespace vssl::video

int main() {
  using namespace vssl::video;
  if (!libav_version().empty()) {
    if (const char* data = std::getenv("VSSL_TEST_DATA")) test_folder(std::string(data) + "/numbered");
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
