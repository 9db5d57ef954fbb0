// Forward declaration of the JSON value type.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace keyturn::json {

using Json = nlohmann::json;

}  // namespace keyturn::json
