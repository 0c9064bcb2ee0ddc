// The ring of keys in device memory, and one call of InfoNCE against it: sizes and places, by value to every
// kernel.
#pragma once

#include <cstdint>

#include "../queue.h"
#include "launch.h"
#include "layout.h"

namespace vssl::cuda {

/// What moves when keys come; on the device, so that a captured enqueue goes on where the last one ended.
struct QueueState {
  int64_t next;  ///< slot of the next key
  int64_t length;
  uint32_t clock;  ///< age of a slot: clock minus its stamp
  int arrivals;    ///< blocks of the enqueue that runs; 0 between calls
};

/// The places in a queue's memory.
struct QueueMemory {
  QueueState* state;
  uint32_t* born;  ///< a slot's stamp
  int64_t* ids;    ///< a slot's number; null: keys have none
  float* keys;     ///< padded_slots x pitch
  void* tiles;     ///< the same rounded to bf16, layout.h
  int64_t capacity, padded_slots;
  int dim, pitch;
};

inline std::size_t lay_out(QueueMemory& queue, const MomentumQueueOptions& options, void* memory) {
  queue.capacity = options.capacity;
  queue.padded_slots = ceil_div(options.capacity, kPanelRows) * kPanelRows;
  queue.dim = static_cast<int>(options.dim);
  queue.pitch = static_cast<int>(ceil_div(options.dim, 4) * 4);
  Carver carver(memory);
  unsigned char* tiles = nullptr;
  carver.take(queue.state, 1);
  carver.take(queue.born, queue.padded_slots);
  queue.ids = nullptr;
  if (options.ids) carver.take(queue.ids, queue.padded_slots);
  carver.take(queue.keys, queue.padded_slots * queue.pitch);
  carver.take(tiles, tiled_bytes(queue.padded_slots, options.dim));
  queue.tiles = tiles;
  return carver.bytes();
}

struct InfoNcePlan {
  QueueMemory queue;
  int64_t rows;
  int64_t padded_rows;  ///< whole panels of 128
  int dim, pitch;
  int panels, chunks, splits;
  bool bf16, normalize, running;
  bool hopper;  ///< the pass of queue_hopper.h
  bool decays_logit, decays_weight;
  float scale, shift;  ///< log2(e) / tau; what every exponent is lowered by, 0 when running
  double tau, log2_decay;

  const float* queries;
  const float* positive_keys;
  const int64_t* ids;  ///< of the queries; null: no key is left out
  float* gradient;     ///< null: loss only
  double* loss;

  void* z;        ///< queries as an operand
  double* norms;  ///< padded_rows, of the queries as in rows.cuh; NaN when a row cannot be used
  double* positive_norms;
  double* positives;  ///< z_i . p_i
  float2* terms;      ///< padded_slots: (slope, offset), exponent = slope s + offset
  float2* sums;       ///< splits x padded_rows: (top, sum of exp2(exponent - top))
  float* g;           ///< splits x padded_rows x pitch: sum of slope exp2(..) k
  double* row_loss;
  int* counters;  ///< arrivals of the last kernel; whether a row cannot be used

  VSSL_HOST_DEVICE int* arrivals() const { return counters; }
  VSSL_HOST_DEVICE int* unusable() const { return counters + 1; }
};

}  // namespace vssl::cuda
