#include "spans.h"

#include <algorithm>
#include <fstream>
#include <string>

#include "parallel.h"
#include "span_schedule.h"

namespace vssl::spans {
namespace {

constexpr int64_t kUnknownCache = 16 << 20;      // where the system does not tell
constexpr int64_t kValuesPerTicket = 128 << 10;  // read and written by one ticket, at most about
constexpr int64_t kTicketsPerThread = 4;         // at least, for an even end

// The largest cache that the first CPU sees; Linux alone tells through files.
int64_t read_cache_bytes() {
  int64_t most = 0;
  for (int index = 0; index < 8; ++index) {
    std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/size");
    int64_t size = 0;
    char unit = ' ';
    if (!(file >> size)) break;
    file >> unit;
    if (unit == 'K') size <<= 10;
    if (unit == 'M') size <<= 20;
    most = std::max(most, size);
  }
  return most > 0 ? most : kUnknownCache;
}

}  // namespace

bool outgrows_cache(int64_t bytes) {
  static const int64_t cache = read_cache_bytes();
  return bytes > cache / kCacheShare;
}

int64_t columns_per_ticket(int64_t pixels, int64_t rows, int threads) {
  const int64_t most = std::min(kValuesPerTicket / rows, pixels / (threads * kTicketsPerThread));
  return std::max<int64_t>(most / kTile, 1) * kTile;
}

}  // namespace vssl::spans
