// The weight gradient of Winograd convolutions: what is computed when. Inner loops in
// winograd_avx512_bf16.cpp.
#include <algorithm>
#include <cstring>
#include <memory>

#include "parallel.h"
#include "winograd.h"
#include "winograd_shape.h"
#include "workspace.h"

namespace vssl {

namespace loops = winograd_loops;
using namespace winograd_shape;

namespace {

class Gradient {
 public:
  Gradient(const uint16_t* x, const uint16_t* output, const WinogradConv& shape, int threads,
           const loops::Loops& inner)
      : x_(x),
        output_(output),
        s_(shape),
        inner_(inner),
        threads_(useful_threads(threads, flops_of(shape), kFlopsPerThread)),
        frames_(shape.output(0)),
        height_(shape.output(1)),
        width_(shape.output(2)),
        lines_(in_whole(height_, 2)),
        across_(2 * in_whole(width_, 4)),
        channels_(2 * pairs_of(shape)),
        filters_(blocks_of(shape) * kFilterBlock),
        parts_(in_whole(shape.channels, loops::most_channels(shape.filters))),
        unit_(unit()),
        slots_(unit_.frames + shape.taps - 1) {}

  void run(float* gradient) {
    const int64_t pairs = unit_.clips * unit_.lines * across_ / 2;
    const int64_t squares = kProducts * slots_ * pairs * channels_;
    const int64_t gradients = kProducts * unit_.frames * pairs * filters_;
    const int64_t sums = blocks_of(s_) * s_.channels * s_.taps * loops::kWeights * kFilterBlock;
    const int64_t widest = std::max(channels_, filters_);
    Workspace workspace(Workspace::padded(squares * 4) + Workspace::padded(gradients * 4) +
                        Workspace::padded(sums * 4) + Workspace::padded(widest * 2));
    squares_ = workspace.take<uint32_t>(squares);
    gradients_ = workspace.take<uint32_t>(gradients);
    sums_ = workspace.take<float>(sums);
    zeros_ = workspace.take<uint16_t>(widest);
    std::fill_n(sums_, sums, 0.0f);
    std::fill_n(zeros_, widest, uint16_t{0});

    const int64_t strips = in_whole(lines_, unit_.lines), steps = in_whole(frames_, unit_.frames);
    const int64_t count = in_whole(s_.clips, unit_.clips) * strips * steps;
    // Of each step: its squares are transformed, then multiplied.
    const auto transforms = std::make_unique<Phase[]>(count), products = std::make_unique<Phase[]>(count);
    for (int64_t i = 0; i < count; ++i) {
      const Step step(*this, i);
      transforms[i].reset(step.clips * step.lines);
      products[i].reset(blocks_of(s_) * parts_);
    }
    Phase end;
    end.reset(blocks_of(s_));
    run_team(threads_, [&] {
      for (int64_t i = 0; i < count; ++i) {
        const Step step(*this, i);
        transforms[i].run([&](int64_t line) { transform(step, line); });
        products[i].run([&](int64_t ticket) { multiply(step, ticket / parts_, ticket % parts_); });
      }
      end.run([&](int64_t block) { write(gradient, block); });
    });
  }

 private:
  // Some frames of some lines of some clips.
  struct Step {
    int64_t clip, clips, line, lines, frame, frames, pairs;
    int64_t seen;  // the first frame of x that no step before it transformed
    Step(const Gradient& g, int64_t at) {
      const int64_t steps = in_whole(g.frames_, g.unit_.frames), strips = in_whole(g.lines_, g.unit_.lines);
      frame = at % steps * g.unit_.frames;
      line = at / steps % strips * g.unit_.lines;
      clip = at / steps / strips * g.unit_.clips;
      frames = std::min(g.unit_.frames, g.frames_ - frame);
      lines = std::min(g.unit_.lines, g.lines_ - line);
      clips = std::min(g.unit_.clips, g.s_.clips - clip);
      pairs = clips * lines * g.across_ / 2;
      seen = std::max<int64_t>(0, frame - g.s_.padding[0] + (frame == 0 ? 0 : g.s_.taps - 1));
    }
  };

  int64_t squares_pitch(const Step& step) const { return slots_ * step.pairs * channels_; }
  int64_t gradients_pitch(const Step& step) const { return unit_.frames * step.pairs * filters_; }

  // A line of squares, in all frames that are new.
  void transform(const Step& step, int64_t ticket) const {
    const int64_t clip = step.clip + ticket / step.lines, line = step.line + ticket % step.lines;
    const int64_t pair = ticket * across_ / 2;
    const int64_t end = std::min(s_.frames, step.frame + step.frames - 1 + s_.taps - s_.padding[0]);
    for (int64_t frame = step.seen; frame < end; ++frame) {
      loops::PairedSquares squares;
      squares.out = squares_ + (frame % slots_ * step.pairs + pair) * channels_;
      squares.product_pitch = squares_pitch(step);
      squares.pair_pitch = channels_;
      see(squares, s_, x_, clip, frame, line, across_, zeros_);
      inner_.paired_squares(squares);
    }
    for (int64_t frame = step.frame; frame < step.frame + step.frames; ++frame) {
      loops::PairedGradients gradients;
      gradients.out = gradients_ + ((frame - step.frame) * step.pairs + pair) * filters_;
      gradients.product_pitch = gradients_pitch(step);
      gradients.pair_pitch = filters_;
      for (int64_t i = 0; i < 2; ++i) {
        const int64_t h = 2 * line + i;
        gradients.lines[i] =
            h < height_ ? output_ + ((clip * frames_ + frame) * height_ + h) * width_ * s_.filters : nullptr;
      }
      gradients.zeros = zeros_;
      gradients.width = width_;
      gradients.filters = s_.filters;
      gradients.count = across_;
      inner_.paired_gradients(gradients);
    }
  }

  float* sums_of(int64_t block, int64_t channel, int64_t tap) const {
    return sums_ + ((block * s_.channels + channel) * s_.taps + tap) * loops::kWeights * kFilterBlock;
  }

  void multiply(const Step& step, int64_t block, int64_t part) const {
    const int64_t channel = part * s_.channels / parts_;
    loops::Gather g;
    g.pitch = s_.taps * loops::kWeights * kFilterBlock;
    g.channels = (part + 1) * s_.channels / parts_ - channel;
    g.filters = s_.filters - block * kFilterBlock;
    g.pairs = step.pairs;
    g.squares_product_pitch = squares_pitch(step);
    g.squares_pair_pitch = channels_;
    g.gradients_product_pitch = gradients_pitch(step);
    g.gradients_pair_pitch = filters_;
    for (int64_t tap = 0; tap < s_.taps; ++tap) {
      g.out = sums_of(block, channel, tap);
      g.frames = 0;
      for (int64_t frame = step.frame; frame < step.frame + step.frames; ++frame) {
        const int64_t from = frame + tap - s_.padding[0];
        if (from < 0 || from >= s_.frames) continue;
        g.squares[g.frames] = squares_ + from % slots_ * step.pairs * channels_ + channel;
        g.gradients[g.frames++] =
            gradients_ + (frame - step.frame) * step.pairs * filters_ + block * kFilterBlock;
      }
      if (g.frames > 0) inner_.gather(g);
    }
  }

  // A block of filters, in the order of weights.
  void write(float* gradient, int64_t block) const {
    const int64_t weights = s_.taps * loops::kWeights;
    const int64_t first = block * kFilterBlock, count = std::min(kFilterBlock, s_.filters - first);
    for (int64_t channel = 0; channel < s_.channels; ++channel) {
      const float* sums = sums_of(block, channel, 0);
      for (int64_t f = 0; f < count; ++f) {
        float* out = gradient + ((first + f) * s_.channels + channel) * weights;
        for (int64_t i = 0; i < weights; ++i) out[i] = sums[i * kFilterBlock + f];
      }
    }
  }

  // Where weights are few, squares stay in a core's cache; elsewhere many are worth the sums that are read
  // and written for them.
  Unit unit() const {
    Unit u = unit_of(s_, lines_, across_, are_cached(s_) ? 56 : 224);
    if (are_cached(s_)) u.frames = share(frames_, 2);
    u.frames = std::min(u.frames, loops::kMostFrames);
    return u;
  }

  const uint16_t* const x_;
  const uint16_t* const output_;
  const WinogradConv s_;
  const loops::Loops& inner_;
  const int threads_;
  const int64_t frames_, height_, width_;  // of the output
  const int64_t lines_, across_;           // of squares in a picture of it; an even number of them
  const int64_t channels_, filters_;       // in whole vectors and blocks
  const int64_t parts_;                    // of the channels
  const Unit unit_;
  const int64_t slots_;  // of the ring
  uint32_t *squares_ = nullptr, *gradients_ = nullptr;
  float* sums_ = nullptr;  // [block][channel][tap][weight][filter]
  uint16_t* zeros_ = nullptr;
};

}  // namespace

void winograd_weight_gradient(float* gradient, const uint16_t* x, const uint16_t* output,
                              const WinogradConv& s, int threads) {
  expect_memory(gradient, x);
  expect_memory(output, output);
  validate(s);
  expect_threads(threads);
  const loops::Loops* inner = loops::loops();
  if (inner == nullptr)
    throw Error(kInvalidArgument, "winograd_weight_gradient needs a CPU that multiplies bf16");
  Gradient(x, output, s, threads, *inner).run(gradient);
}

}  // namespace vssl
