// What a method's own suite asks of its sessions: exact resume, and a loss that falls.
#pragma once

#include <functional>
#include <string>

#include "engine_testing.h"

namespace vssl::engine::testing {

using BatchAt = std::function<video::Batch(uint64_t)>;  // of a seed
using NumbersAt = std::function<Value(int)>;            // of a step

// Four steps, and two, a restart and two more, leave the same bytes, in fp32 and in bf16.
inline void check_exact_resume(const std::string& method, const Object& options, const BatchAt& batch,
                               const NumbersAt& numbers) {
  for (const std::string precision : {"fp32", "bf16"}) {
    const Value spec = session_spec({{"method", method}, {"precision", precision}, {"options", options}});
    Session whole(spec), before(spec), after(spec);
    for (int i = 0; i < 4; ++i) check(whole.step(batch(i), numbers(i)).finite, "a finite step");
    for (int i = 0; i < 2; ++i) before.step(batch(i), numbers(i));
    after.import_state(before.export_state());
    for (int i = 2; i < 4; ++i) after.step(batch(i), numbers(i));
    check(same_bytes(after.export_state(), whole.export_state()), "resumes exactly in " + precision);
  }
}

// On one batch the loss falls by a fifth within 40 steps.
inline void check_learning(const std::string& method, const Object& options, const BatchAt& batch,
                           const NumbersAt& numbers) {
  Session session(session_spec({{"method", method}, {"options", options}}));
  double first = 0, last = 0;
  for (int i = 0; i < 40; ++i) {
    const double loss = session.step(batch(1), numbers(i)).losses.at("loss");
    if (i < 4) first += loss;
    if (i >= 36) last += loss;
  }
  check(last < 0.8 * first, "learns: " + std::to_string(first / 4) + " to " + std::to_string(last / 4));
}

}  // namespace vssl::engine::testing
