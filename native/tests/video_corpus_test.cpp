// The fuzz targets on what fuzzing found, on their seeds, and on a few changes of those that are the same
// each time: the short, everyday part of `npm run test:fuzz`. Prints a line per failure; the last line is "N
// passed, N failed".
#include "fuzz/decode_target.h"
#include "fuzz/mutate.h"
#include "fuzz/packed_target.h"
#include "fuzz/plan_target.h"
#include "fuzz/seeds.h"

namespace vssl::video::fuzz {
namespace {

using Target = void (*)(const uint8_t* data, size_t size);

// What breaks a promise ends the process; an exception that leaves a target is told here.
void try_one(const std::string& name, Target target, const std::vector<uint8_t>& bytes) {
  try {
    target(bytes.data(), bytes.size());
    check(true, name);
  } catch (const std::exception& e) {
    check(false, name + ": " + e.what());
  }
}

void test_target(const std::string& name, Target target, int changes) {
  std::filesystem::path corpus = std::filesystem::path(__FILE__).parent_path() / "fuzz/corpus" / name;
  std::vector<std::filesystem::path> files;
  if (std::filesystem::exists(corpus)) {
    for (const auto& entry : std::filesystem::directory_iterator(corpus)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) try_one(file.string(), target, read_bytes(file.string()));
  std::mt19937 random(11);
  for (const Seed& seed : seeds_of(name)) {
    try_one(name + " seed " + seed.name, target, seed.bytes);
    for (int i = 0; i < changes; ++i) {
      std::vector<uint8_t> bytes = seed.bytes;
      mutate_file(bytes.data(), bytes.size(), random);
      if (random() % 4 == 0) bytes.resize(1 + random() % bytes.size());
      try_one(name + " seed " + seed.name + " changed " + std::to_string(i), target, bytes);
    }
  }
}

}  // namespace
}  // namespace vssl::video::fuzz

int main() {
  using namespace vssl::video::fuzz;
  if (!vssl::video::libav_version().empty()) test_target("decode", decode_target, 20);
  test_target("plan", plan_target, 10);
  test_target("packed", packed_target, 10);
  return vssl::finish();
}
