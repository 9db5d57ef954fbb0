// The part of ValidatePlan that concerns targets and their files.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "lib/base/status.h"
#include "lib/plan/plan.h"

namespace keyturn::plan {

Status ValidateTargets(const Plan& plan);

}  // namespace keyturn::plan
