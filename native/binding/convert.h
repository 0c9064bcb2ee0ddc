// JavaScript values to plain native data and back. JavaScript thread only.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "../common/value.h"
#include "../engine/engine.h"
#include "../video/video.h"

namespace vssl::binding {

// Functions, symbols and typed arrays other than of numbers are refused with ERR_VSSL_INVALID_ARGUMENT.
Value to_value(const Napi::Value& value);
Napi::Value from_value(Napi::Env env, const Value& value);

Napi::Value from_index(Napi::Env env, const video::VideoIndex& index);
Napi::Value from_stats(Napi::Env env, const engine::MemoryStats& stats);
Napi::Value from_step(Napi::Env env, const engine::StepResult& step);
Napi::Value from_convolutions(Napi::Env env, const std::vector<engine::ConvolutionTime>& times);
// Takes the bytes over: a checkpoint is too large to be copied on the event loop.
Napi::Value from_tensors(Napi::Env env, std::vector<engine::NamedTensor>& tensors);
std::vector<engine::NamedTensor> to_tensors(const Napi::Value& value);

// A copy of the elements of a typed array; ERR_VSSL_INVALID_ARGUMENT names the argument otherwise.
std::vector<float> to_floats(const Napi::Value& value, const char* name);
std::vector<int32_t> to_ints(const Napi::Value& value, const char* name);
std::vector<uint8_t> to_bytes(const Napi::Value& value, const char* name);
Napi::Value from_floats(Napi::Env env, const std::vector<float>& values);
Napi::Value from_bytes(Napi::Env env, const std::vector<uint8_t>& bytes);

[[noreturn]] void throw_argument(const std::string& message);

}  // namespace vssl::binding
