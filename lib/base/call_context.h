// CallContext: how long a blocking call may take and what interrupts it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>

#include "lib/base/clock.h"

namespace keyturn {

struct CallContext {
  MonoTime deadline = MonoTime::max();
  std::stop_token stop;
};

}  // namespace keyturn
