// The await protocol: one extra operation by which a server tells that a secret's version changed.
// Used by the agent, the store and hint services; AWS itself is never asked.
//
//   X-Amz-Target: keyturn.AwaitSecretChange, application/x-amz-json-1.1, signed like every other
//   call.
//   {"Entries": [{"SecretId", "VersionStage", "KnownVersionId"} … ≤ 100], "WaitSeconds": ≤ 50}
//
// Level-triggered: the server registers the waiter, then compares, so a change between two calls is
// not lost. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace keyturn::aws {

// A server that offers the operation says so in every answer: "x-keyturn-await: 1". The exception
// is a Plan's refresh.hintUrl: it is asked without announcement, since the Plan has named it for
// just this; hosts of AWS are refused there.
inline constexpr std::string_view kAwaitOfferHeader = "x-keyturn-await";
inline constexpr std::string_view kAwaitOfferValue = "1";
inline constexpr std::string_view kAwaitTarget = "keyturn.AwaitSecretChange";
inline constexpr size_t kMaxAwaitEntries = 100;
// Below the 60 s after which proxies and load balancers usually cut an idle request.
inline constexpr std::chrono::seconds kMaxAwaitWait{50};

struct AwaitEntry {
  std::string secret_id;
  std::string version_stage;
  std::string known_version_id;  // empty: the waiter holds none

  friend bool operator==(const AwaitEntry&, const AwaitEntry&) = default;
};

struct AwaitRequest {
  std::vector<AwaitEntry> entries;
  std::chrono::seconds wait{kMaxAwaitWait};
};

// The state of one entry: its current version, or the error that GetSecretValue would give.
struct AwaitEntryState {
  std::string secret_id;
  std::string version_stage;
  std::string version_id;  // empty on error
  std::string error_code;  // AWS code, empty when fine
  std::string error_message;
};

struct AwaitAnswer {
  std::vector<AwaitEntryState> entries;
  // The server spread this wake-up over many waiters by so long.
  std::chrono::milliseconds spread{0};
};

// JSON codecs, shared by client and server. Decoders refuse unknown shapes with INVALID_ARGUMENT.
std::string EncodeAwaitRequest(const AwaitRequest& request);
Result<AwaitRequest> DecodeAwaitRequest(std::string_view json);
std::string EncodeAwaitAnswer(const AwaitAnswer& answer);
Result<AwaitAnswer> DecodeAwaitAnswer(std::string_view json);

}  // namespace keyturn::aws
