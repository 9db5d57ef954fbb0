// The four notify channels; CreateNotifyChannel chooses among them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/delivery/notify.h"

namespace keyturn::delivery {

Result<std::unique_ptr<NotifyChannel>> CreateHttpChannel(const plan::HttpNotify& spec,
                                                         const NotifyDependencies& dependencies);
Result<std::unique_ptr<NotifyChannel>> CreateSentinelChannel(
    const plan::SentinelNotify& spec, const std::vector<std::string>& targets,
    const NotifyDependencies& dependencies);
Result<std::unique_ptr<NotifyChannel>> CreateSignalChannel(const plan::SignalNotify& spec,
                                                           const NotifyDependencies& dependencies);
Result<std::unique_ptr<NotifyChannel>> CreateExecChannel(const plan::ExecNotify& spec,
                                                         const NotifyDependencies& dependencies);

}  // namespace keyturn::delivery
