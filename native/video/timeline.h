// The time axis of a video from the time stamps of its packets, which are not believed either: stamps jump by
// a year when a camera learns the date, are set back where recordings were joined, and single ones stray. The
// rules are in docs/video.md.
#pragma once

#ifdef VSSL_WITH_LIBAV

#include "index.h"
#include "libav.h"
#include "scan.h"

namespace vssl::video {

// What the header says a picture lasts, seconds; 1/25 when it says nothing sensible.
double frame_seconds(const AVStream* stream);

// Fills index.info.times and .end, index.numbering, and the positions in index.packets, which hold the
// scan's; adds warnings. At least one packet must be fed and shown. `tick`: seconds of the stream's time
// base.
void make_timeline(FileIndex& index, const PacketScan& scan, double tick, double seconds);

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
