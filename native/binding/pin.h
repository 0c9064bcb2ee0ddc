#pragma once

namespace vssl::binding {

/// Keeps this addon mapped until the process ends: Node unmaps an addon with the last worker thread that
/// loaded it, but its threads go on sleeping, or finishing what they were at, in its code.
void stay_loaded();

}  // namespace vssl::binding
