// The inner loops of winograd.h.
#pragma once

#include <cstdint>

namespace vssl::winograd_loops {

constexpr int64_t kLanes = 16;        // channels or filters of a vector
constexpr int64_t kFilterBlock = 32;  // of one pass over squares
constexpr int64_t kProducts = 16;     // of a square and a channel
constexpr int64_t kMostTaps = 16;
constexpr int64_t kWeights = 9;  // of a tap and a channel
constexpr int64_t kMostFrames = 16;

// Whose gradients fit the registers, beside so many filters that are left.
constexpr int64_t most_channels(int64_t filters) { return filters > kLanes ? 14 : 28; }

// What squares beside one another see of a picture: four rows of it.
struct Pixels {
  const uint16_t* lines[4];  // (width, channels); null outside
  const uint16_t* zeros;     // a pixel of them
  int64_t width, channels;
  int64_t count, first_column;  // of squares; of the first one's pixels, below 0 in the padding
};

// B' d B of them.
struct Squares : Pixels {
  uint16_t* out;          // of the first square: [product][...][channel, a whole number of vectors]
  int64_t product_pitch;  // from one product to the next
  int64_t square_pitch;   // from one square to the next
};

// For one of the 16 products: `rows` squares times a block of filters, summed over taps and channels.
struct Multiply {
  float* out;                       // (rows, kFilterBlock)
  const uint16_t* taps[kMostTaps];  // (rows, 2 pairs) each
  const uint32_t* packed;           // [tap][pair][kFilterBlock]
  int64_t rows, count, pairs;       // count: of taps
  int64_t filters;                  // that are left, of this block or of later ones
};

// A' m A of the squares beside one another in two rows of the output, and what is added to it.
struct Outputs {
  const float* sums;      // of the first square: [product][...][kFilterBlock]
  int64_t product_pitch;  // from one product to the next
  uint16_t* lines[2];     // (width, filters); null below the picture
  const uint16_t* residual[2];
  const float* bias;
  int64_t width, filters, first_filter;
  int64_t count;  // of squares
  bool relu;
};

// As Squares, two beside one another in a word for each channel: [product][...][pair][channel], and `count`
// is even.
struct PairedSquares : Pixels {
  uint32_t* out;
  int64_t product_pitch, pair_pitch;
};

// A g A' of the squares beside one another in two rows of the output's gradient, two in a word for each
// filter.
struct PairedGradients {
  uint32_t* out;
  int64_t product_pitch, pair_pitch;
  const uint16_t* lines[2];  // (width, filters); null below the picture
  const uint16_t* zeros;     // a pixel of them
  int64_t width, filters;
  int64_t count;  // even
};

// Adds to the gradient of a few channels' and a block of filters' weights of one tap what squares of some
// frames give.
struct Gather {
  float* out;        // [channel][kWeights][kFilterBlock], of the first channel
  int64_t pitch;     // from one channel to the next
  int64_t channels;  // at most most_channels()
  int64_t filters;   // that are left, of this block or of later ones
  int64_t frames;
  const uint32_t* squares[kMostFrames];    // of the first channel: [product][...][pair][channel]
  const uint32_t* gradients[kMostFrames];  // of the first filter: [product][...][pair][filter]
  int64_t pairs;
  int64_t squares_product_pitch, squares_pair_pitch;
  int64_t gradients_product_pitch, gradients_pair_pitch;
};

struct Loops {
  void (*squares)(const Squares&);
  void (*multiply)(const Multiply&);
  void (*outputs)(const Outputs&);
  void (*paired_squares)(const PairedSquares&);
  void (*paired_gradients)(const PairedGradients&);
  void (*gather)(const Gather&);
};

// Null where the path in use has none.
const Loops* loops();

}  // namespace vssl::winograd_loops
