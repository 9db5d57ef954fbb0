// The opt-in TCP listener: /metrics, /status, /healthz, /readyz.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "agent/state_file.h"
#include "lib/base/log.h"
#include "lib/base/result.h"
#include "lib/base/snapshot.h"
#include "lib/metrics/registry.h"
#include "lib/net/http_server.h"

namespace keyturn::agent {

// What the listener shows. Both outlive the server.
struct AdminSources {
  const Snapshot<AgentState>* state = nullptr;
  const metrics::Registry* metrics = nullptr;
  bool unready_when_stale = false;
};

// SECURITY: plain HTTP without authentication; shows names, version ids and error classes, never a
// value. Listen on loopback unless a scraper outside the pod needs /metrics.
Result<std::unique_ptr<net::HttpServer>> StartAdminServer(const std::string& listen,
                                                          const AdminSources& sources,
                                                          Logger& logger);

// Whether a probe should pass.
bool IsReady(const AgentState& state, bool unready_when_stale);

}  // namespace keyturn::agent
