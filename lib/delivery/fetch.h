// Fetcher: from the secrets that a Plan names to their values, with as few calls as possible.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <compare>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lib/aws/secrets_manager.h"
#include "lib/aws/ssm.h"
#include "lib/base/call_context.h"
#include "lib/base/clock.h"
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

namespace internal {
struct ParsedDocument;  // of rendering
}

struct FetchedValue {
  std::string arn;
  std::string name;
  std::string version_id;  // parameters: the version number in decimal
  std::vector<std::string> stages;
  SecretBytes value;
  bool is_binary = false;
  // `value` as JSON, kept by the first file that selects from it: a thousand files may select from
  // one secret. THREAD: rendering has one thread.
  mutable std::shared_ptr<const internal::ParsedDocument> parsed;
};

using FetchedPtr = std::shared_ptr<const FetchedValue>;
using FetchResults = std::map<FetchKey, Result<FetchedPtr>>;

// True when the service says that the secret or version is gone: NOT_FOUND, or the refusal that
// GetSecretValue gives for a secret that was deleted or is marked for deletion.
bool IsGone(const Status& status);

// The clients of one identity in one region; made on first use and kept. THREAD: safe.
class ClientPool {
 public:
  virtual ~ClientPool() = default;
  // ERRORS: INVALID_ARGUMENT for an unknown identity or an unusable region or endpoint.
  virtual Result<aws::SecretsManager*> SecretsManager(const std::string& identity,
                                                      const std::string& region) = 0;
  virtual Result<aws::Ssm*> Ssm(const std::string& identity, const std::string& region) = 0;
  // A client of the Plan's hintUrl, for awaits only. ERRORS: NOT_FOUND when the Plan has none.
  virtual Result<aws::SecretsManager*> Hint(const std::string& identity,
                                            const std::string& region) = 0;
};

// Where a group of keys is asked: the unit of batches, of failures and of awaits.
struct Endpoint {
  std::string identity;
  std::string region;

  auto operator<=>(const Endpoint&) const = default;
};

// The service's limit of one BatchGetSecretValue. Source: API reference, BatchGetSecretValue.
inline constexpr size_t kMaxBatchSecrets = 20;
// Up to so many secrets single calls are used: a batch has no VersionStage, which policies may
// condition on, and a quota of 100 calls/s per account against 10,000 for single reads.
inline constexpr size_t kMaxSingleSecrets = 3;
// How long a refused BatchGetSecretValue is not tried again: a policy rarely changes, and every try
// is a wasted call.
inline constexpr std::chrono::minutes kBatchRefusalMemory{10};
// Reads of a set of stages before it is given up for this pass.
inline constexpr int kMaxStableReads = 3;

// Per endpoint: up to 3 secrets, and every pinned stage or version, by GetSecretValue with an
// explicit VersionStage; more AWSCURRENT ones by BatchGetSecretValue in chunks of 20. A batch that
// is throttled or refused falls back to single calls (a refusal is remembered), and so do single
// ids whose failure may be the batch's own: a batch sends no stage, so a policy that asks for one
// denies it, and an id that it leaves out is not known to be missing.
//
// Several keys of one secret are re-read until two consecutive reads show the same versions, at
// most 3 times, so that a set never straddles a rotation; a first read that shows the versions of
// the last stable one needs no second. Parameters by GetParameters in chunks of 10; a chunk that is
// refused as a whole is asked one by one, for an error per name.
//
// The time is shared between endpoints, and the rest of an endpoint is given up after three
// unanswered calls, so that a dead region does not starve another. THREAD: one call at a time.
class Fetcher {
 public:
  struct Memory;  // what it keeps between passes; lib/delivery/fetch_endpoint.h
  Fetcher(ClientPool& clients, Clock& clock, Logger& logger, metrics::Registry& metrics);
  ~Fetcher();
  // Answers every key. Never fails as a whole. Failures: those of the clients; UNAVAILABLE for a
  // set that changed during every read. Metric: keyturn_fetch_errors_total{code}.
  FetchResults Fetch(const std::set<FetchKey>& keys, const CallContext& context);

 private:
  ClientPool& clients_;
  Clock& clock_;
  Logger& logger_;
  metrics::Registry& metrics_;
  const std::unique_ptr<Memory> memory_;
};

}  // namespace keyturn::delivery
