// The JSON value type, for codec files only: each file that includes this costs 4 s to compile.
// Interfaces use lib/json/json_fwd.h or their own types.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "lib/json/json_fwd.h"
