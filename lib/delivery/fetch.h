// Fetcher: from the secrets that a Plan names to their values, with as few calls as possible.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lib/aws/secrets_manager.h"
#include "lib/aws/ssm.h"
#include "lib/base/call_context.h"
#include "lib/base/log.h"
#include "lib/base/result.h"
#include "lib/base/secret_bytes.h"
#include "lib/metrics/registry.h"
#include "lib/plan/plan.h"

namespace keyturn::delivery {

enum class SourceKind { kSecret, kParameter };

// What identifies one fetch. Files that share a key share the fetched value.
struct FetchKey {
  std::string identity;
  std::string region;
  SourceKind kind = SourceKind::kSecret;
  std::string id;     // SecretId or parameter name, as the Plan wrote it
  std::string stage;  // secrets: never empty unless version_id is set
  std::string version_id;

  auto operator<=>(const FetchKey&) const = default;
};

// The key of `source` in `plan`: region from the source, else its ARN, else the Plan.
FetchKey KeyOf(const plan::Source& source, const plan::Plan& plan);

// Every key that the Plan needs, each once.
std::set<FetchKey> KeysOf(const plan::Plan& plan);

struct FetchedValue {
  std::string arn;
  std::string name;
  std::string version_id;  // parameters: the version number in decimal
  std::vector<std::string> stages;
  SecretBytes value;
  bool is_binary = false;
};

using FetchedPtr = std::shared_ptr<const FetchedValue>;
using FetchResults = std::map<FetchKey, Result<FetchedPtr>>;

// The clients of one identity in one region; made on first use and kept. THREAD: safe.
class ClientPool {
 public:
  virtual ~ClientPool() = default;
  // ERRORS: INVALID_ARGUMENT for an unknown identity or an unusable region or endpoint.
  virtual Result<aws::SecretsManager*> SecretsManager(const std::string& identity,
                                                      const std::string& region) = 0;
  virtual Result<aws::Ssm*> Ssm(const std::string& identity, const std::string& region) = 0;
};

// Per (identity, region): up to 3 secrets, and every pinned stage or version, by GetSecretValue
// with an explicit VersionStage; more AWSCURRENT ones by BatchGetSecretValue in chunks of 20. A
// batch that is throttled or denied, and single ids that it reports as failed for reasons of the
// call, fall back to single calls. Keys of one secret at several stages are re-read until two reads
// agree (at most 3 times), so that a set never straddles a rotation. Parameters by GetParameters in
// chunks of 10. THREAD: one call at a time.
class Fetcher {
 public:
  Fetcher(ClientPool& clients, Logger& logger, metrics::Registry& metrics);
  // Answers every key. Never fails as a whole.
  FetchResults Fetch(const std::set<FetchKey>& keys, const CallContext& context);

 private:
  ClientPool& clients_;
  Logger& logger_;
  metrics::Registry& metrics_;
};

}  // namespace keyturn::delivery
