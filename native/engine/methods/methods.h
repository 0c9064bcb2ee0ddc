// The list of methods: one file and one line each.
#pragma once

#include "method.h"

namespace vssl::engine {

std::unique_ptr<Method> create_cate(const MethodPlan& plan);
std::unique_ptr<Method> create_cvrl(const MethodPlan& plan);
std::unique_ptr<Method> create_simclr(const MethodPlan& plan);
std::unique_ptr<Method> create_moco(const MethodPlan& plan);
std::unique_ptr<Method> create_videomoco(const MethodPlan& plan);
std::unique_ptr<Method> create_modist(const MethodPlan& plan);
std::unique_ptr<Method> create_tcgl(const MethodPlan& plan);

}  // namespace vssl::engine
