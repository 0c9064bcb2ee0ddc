// Layers of the video networks.
#pragma once

#include "conv.h"
#include "conv_norm.h"
#include "linear.h"
#include "norm.h"
