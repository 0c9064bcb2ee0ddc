// Winograd convolutions: arguments, packing, and what is computed when, so that it stays in a core's cache.
// Inner loops in winograd_avx512_bf16.cpp.
#include "winograd.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <vector>

#include "isa.h"
#include "parallel.h"
#include "winograd_shape.h"
#include "workspace.h"

namespace vssl {

namespace loops = winograd_loops;
using namespace winograd_shape;

namespace {

// A value for each filter of a block.
using Lanes = std::array<float, kFilterBlock>;

// G of three values.
void transform(const Lanes& a, const Lanes& b, const Lanes& c, Lanes* const (&out)[4]) {
  *out[0] = a;
  for (int64_t l = 0; l < kFilterBlock; ++l) {
    const float ends = (a[l] + c[l]) / 2, middle = b[l] / 2;
    (*out[1])[l] = ends + middle;
    (*out[2])[l] = ends - middle;
  }
  *out[3] = c;
}

// G g G'.
void transform(const std::array<Lanes, 9>& g, std::array<Lanes, kProducts>& out) {
  std::array<Lanes, 12> columns;  // [row of G][column]
  for (int j = 0; j < 3; ++j) {
    transform(g[j], g[3 + j], g[6 + j], {&columns[j], &columns[3 + j], &columns[6 + j], &columns[9 + j]});
  }
  for (int i = 0; i < 4; ++i) {
    transform(columns[3 * i], columns[3 * i + 1], columns[3 * i + 2],
              {&out[4 * i], &out[4 * i + 1], &out[4 * i + 2], &out[4 * i + 3]});
  }
}

// The nearest bf16, ties to even.
uint32_t bf16_bits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : rounded;
}

class Run {
 public:
  Run(uint16_t* out, const uint16_t* x, const uint32_t* packed, const float* bias, const uint16_t* residual,
      const WinogradConv& shape, int threads, const loops::Loops& inner)
      : out_(out),
        x_(x),
        packed_(packed),
        bias_(bias),
        residual_(residual),
        s_(shape),
        inner_(inner),
        frames_(shape.output(0)),
        height_(shape.output(1)),
        width_(shape.output(2)),
        lines_(in_whole(height_, 2)),
        across_(in_whole(width_, 2)),
        pairs_(pairs_of(shape)) {
    threads_ = useful_threads(threads, flops_of(s_), kFlopsPerThread);
    unit_ = unit();
  }

  void run() {
    const int64_t rows = unit_.clips * unit_.lines * across_, slots = unit_.frames + s_.taps - 1;
    const int64_t factors = kProducts * slots * rows * 2 * pairs_,
                  sums = kProducts * unit_.frames * rows * kFilterBlock;
    const auto bytes = Workspace::padded(factors * 2) + Workspace::padded(sums * 4);
    Workspace workspace(Workspace::padded(2 * pairs_ * 2) + bytes * static_cast<size_t>(threads_));
    uint16_t* const zeros = workspace.take<uint16_t>(2 * pairs_);
    std::fill_n(zeros, 2 * pairs_, uint16_t{0});
    std::vector<Scratch> scratch;
    for (int i = 0; i < threads_; ++i) {
      scratch.push_back({workspace.take<uint16_t>(factors), workspace.take<float>(sums), zeros});
    }
    const int64_t strips = in_whole(lines_, unit_.lines);
    Phase phase;
    phase.reset(in_whole(s_.clips, unit_.clips) * strips);
    std::atomic<int64_t> joined{0};
    run_team(threads_, [&] {
      const Scratch& own = scratch[static_cast<size_t>(joined.fetch_add(1, std::memory_order_relaxed))];
      phase.run([&](int64_t ticket) {
        Part(*this, own, ticket / strips * unit_.clips, ticket % strips * unit_.lines).run();
      });
    });
  }

 private:
  struct Scratch {
    uint16_t* factors;  // B' d B: [product][slot of the ring][row][channel]; a row is a square of a clip
    float* sums;        // [product][frame][row][filter of a block]
    const uint16_t* zeros;
  };

  // All outputs of a unit.
  class Part {
   public:
    Part(const Run& run, const Scratch& scratch, int64_t clip, int64_t line)
        : r_(run),
          scratch_(scratch),
          clip_(clip),
          line_(line),
          clips_(std::min(run.unit_.clips, run.s_.clips - clip)),
          lines_(std::min(run.unit_.lines, run.lines_ - line)),
          rows_(clips_ * lines_ * run.across_),
          slots_(run.unit_.frames + run.s_.taps - 1),
          slot_pitch_(rows_ * 2 * run.pairs_) {}

    void run() {
      const WinogradConv& s = r_.s_;
      int64_t seen = 0;  // frames that were transformed
      for (int64_t first = 0; first < r_.frames_; first += r_.unit_.frames) {
        const int64_t end = std::min(r_.frames_, first + r_.unit_.frames);
        seen = std::max(seen, first - s.padding[0]);
        for (; seen < std::min(s.frames, end - 1 + s.taps - s.padding[0]); ++seen) transform(seen);
        for (int64_t block = 0; block < blocks_of(s); ++block) {
          for (int64_t product = 0; product < kProducts; ++product) {
            for (int64_t frame = first; frame < end; ++frame) multiply(block, product, frame, frame - first);
          }
          for (int64_t frame = first; frame < end; ++frame) finish(block, frame, frame - first);
        }
      }
    }

   private:
    void transform(int64_t frame) const {
      const WinogradConv& s = r_.s_;
      loops::Squares squares;
      squares.product_pitch = slots_ * slot_pitch_;
      squares.square_pitch = 2 * r_.pairs_;
      squares.out = scratch_.factors + frame % slots_ * slot_pitch_;
      for (int64_t clip = clip_; clip < clip_ + clips_; ++clip) {
        for (int64_t line = line_; line < line_ + lines_; ++line) {
          see(squares, s, r_.x_, clip, frame, line, r_.across_, scratch_.zeros);
          r_.inner_.squares(squares);
          squares.out += r_.across_ * squares.square_pitch;
        }
      }
    }

    float* sums(int64_t product, int64_t at) const {
      return scratch_.sums + (product * r_.unit_.frames + at) * rows_ * kFilterBlock;
    }

    void multiply(int64_t block, int64_t product, int64_t frame, int64_t at) const {
      const WinogradConv& s = r_.s_;
      const int64_t start = frame - s.padding[0];
      const int64_t begin = std::max<int64_t>(0, -start), end = std::min(s.taps, s.frames - start);
      loops::Multiply m;
      m.out = sums(product, at);
      m.count = std::max<int64_t>(0, end - begin);
      for (int64_t tap = begin; tap < end; ++tap)
        m.taps[tap - begin] = scratch_.factors + (product * slots_ + (start + tap) % slots_) * slot_pitch_;
      m.packed = r_.packed_ + ((block * kProducts + product) * s.taps + begin) * r_.pairs_ * kFilterBlock;
      m.rows = rows_;
      m.pairs = r_.pairs_;
      m.filters = s.filters - block * kFilterBlock;
      r_.inner_.multiply(m);
    }

    void finish(int64_t block, int64_t frame, int64_t at) const {
      const WinogradConv& s = r_.s_;
      loops::Outputs o;
      o.sums = sums(0, at);
      o.product_pitch = r_.unit_.frames * rows_ * kFilterBlock;
      o.bias = r_.bias_;
      o.width = r_.width_;
      o.filters = s.filters;
      o.first_filter = block * kFilterBlock;
      o.count = r_.across_;
      o.relu = s.relu;
      for (int64_t clip = clip_; clip < clip_ + clips_; ++clip) {
        for (int64_t line = line_; line < line_ + lines_; ++line) {
          for (int64_t i = 0; i < 2; ++i) {
            const int64_t h = 2 * line + i;
            const int64_t from = ((clip * r_.frames_ + frame) * r_.height_ + h) * r_.width_ * s.filters;
            o.lines[i] = h < r_.height_ ? r_.out_ + from : nullptr;
            o.residual[i] = r_.residual_ != nullptr && h < r_.height_ ? r_.residual_ + from : nullptr;
          }
          r_.inner_.outputs(o);
          o.sums += r_.across_ * kFilterBlock;
        }
      }
    }

    const Run& r_;
    const Scratch& scratch_;
    const int64_t clip_, line_, clips_, lines_, rows_, slots_, slot_pitch_;
  };

  // Packed weights that stay in a core's cache are read again for every few rows; others are worth many. No
  // larger than what gives each thread something to do.
  Unit unit() const {
    Unit u = unit_of(s_, lines_, across_, are_cached(s_) ? 28 : 224);
    while (in_whole(s_.clips, u.clips) * in_whole(lines_, u.lines) < threads_ && u.clips * u.lines > 1) {
      int64_t& larger = u.clips > 1 ? u.clips : u.lines;
      larger = in_whole(larger, 2);
    }
    return u;
  }

  uint16_t* const out_;
  const uint16_t* const x_;
  const uint32_t* const packed_;
  const float* const bias_;
  const uint16_t* const residual_;
  const WinogradConv s_;
  const loops::Loops& inner_;
  const int64_t frames_, height_, width_;  // of the output
  const int64_t lines_, across_;           // of squares in a picture of it
  const int64_t pairs_;
  int threads_;
  Unit unit_;
};

}  // namespace

bool has_winograd() {
  static const bool slower = has_bf16_matrices();
  return loops::loops() != nullptr && !slower;
}

int64_t packed_winograd_size(const WinogradConv& s) {
  validate(s);
  return blocks_of(s) * kProducts * s.taps * pairs_of(s) * kFilterBlock;
}

void pack_winograd(uint32_t* packed, const float* weight, const WinogradConv& s, bool gradient) {
  expect_memory(packed, weight);
  const int64_t pairs = pairs_of(s), product_pitch = s.taps * pairs * kFilterBlock;
  std::fill_n(packed, packed_winograd_size(s), 0u);
  // The gradient's convolution sees the kernel from its other end.
  const int64_t kernel = s.taps * 9;
  const int64_t filter_pitch = gradient ? kernel : s.channels * kernel;
  const int64_t channel_pitch = gradient ? s.filters * kernel : kernel;
  const int64_t start = gradient ? kernel - 1 : 0, step = gradient ? -1 : 1;
  std::array<Lanes, 9> g{};
  std::array<Lanes, kProducts> products;
  for (int64_t first = 0; first < s.filters; first += kFilterBlock) {
    const int64_t count = std::min(kFilterBlock, s.filters - first);
    for (auto& lanes : g) lanes.fill(0);
    for (int64_t c = 0; c < s.channels; ++c) {
      for (int64_t tap = 0; tap < s.taps; ++tap) {
        for (int64_t l = 0; l < count; ++l) {
          const float* from =
              weight + (first + l) * filter_pitch + c * channel_pitch + start + tap * 9 * step;
          for (int64_t i = 0; i < 9; ++i) g[i][l] = from[i * step];
        }
        transform(g, products);
        uint32_t* out = packed + first * kProducts * s.taps * pairs + (tap * pairs + c / 2) * kFilterBlock;
        for (int64_t p = 0; p < kProducts; ++p, out += product_pitch) {
          const int shift = c % 2 == 0 ? 0 : 16;
          for (int64_t l = 0; l < kFilterBlock; ++l) out[l] |= bf16_bits(products[p][l]) << shift;
        }
      }
    }
  }
}

void winograd_conv(uint16_t* out, const uint16_t* x, const uint32_t* packed, const float* bias,
                   const uint16_t* residual, const WinogradConv& s, int threads) {
  expect_memory(out, x);
  expect_memory(packed, bias);
  validate(s);
  expect_threads(threads);
  const loops::Loops* inner = loops::loops();
  if (inner == nullptr) throw Error(kInvalidArgument, "winograd_conv needs a CPU that multiplies bf16");
  Run(out, x, packed, bias, residual, s, threads, *inner).run();
}

}  // namespace vssl
