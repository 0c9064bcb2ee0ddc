// Usage: fuzz_write_seeds TARGET FOLDER. Writes what fuzzing that target starts from.
#include "seeds.h"

int main(int argc, char** argv) {
  using namespace vssl::video;
  if (argc != 3) return 2;
  const std::filesystem::path folder = argv[2];
  std::filesystem::create_directories(folder);
  for (const fuzz::Seed& seed : fuzz::seeds_of(argv[1])) write_bytes(folder / seed.name, seed.bytes);
  return 0;
}
