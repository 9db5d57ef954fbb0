// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/fetch.h"

#include <algorithm>

#include "lib/aws/endpoints.h"
#include "lib/base/strings.h"
#include "lib/delivery/fetch_endpoint.h"

namespace keyturn::delivery {
namespace {

struct Group {
  std::vector<FetchKey> secrets;
  std::vector<FetchKey> parameters;
};

void SetAll(const std::vector<FetchKey>& keys, const Status& status, FetchResults& results) {
  for (const FetchKey& key : keys) results.insert_or_assign(key, status);
}

// An equal part of what is left, so that an endpoint that hangs leaves time for the others.
CallContext ShareOf(const CallContext& context, MonoTime now, size_t groups_left) {
  if (context.deadline == MonoTime::max() || context.deadline <= now) return context;
  const auto parts = static_cast<MonoTime::rep>(groups_left);
  return {now + (context.deadline - now) / parts, context.stop};
}

// AWSCURRENT ones, which a batch can read, and the rest.
std::pair<std::vector<FetchKey>, std::vector<FetchKey>> SplitByBatch(
    const std::vector<FetchKey>& keys) {
  std::vector<FetchKey> batchable;
  std::vector<FetchKey> single;
  for (const FetchKey& key : keys) {
    const bool current = key.version_id.empty() && key.stage == plan::kStageCurrent;
    (current ? batchable : single).push_back(key);
  }
  return {std::move(batchable), std::move(single)};
}

// A batch that fails where a single call succeeds is denied by a condition on the stage, or is not
// implemented.
bool BatchFailedAlone(const SecretReader::BatchOutcome& batch, const FetchResults& results) {
  return std::any_of(batch.doubted.begin(), batch.doubted.end(),
                     [&](const FetchKey& key) { return results.at(key).ok(); });
}

struct GroupFetch {
  const Endpoint& endpoint;
  MonoTime now;
  Fetcher::Memory& memory;
  Logger& logger;
};

bool BatchRefused(const GroupFetch& fetch) {
  const auto refused = fetch.memory.batch_refused_until.find(fetch.endpoint);
  return refused != fetch.memory.batch_refused_until.end() && fetch.now < refused->second;
}

void RememberRefusal(const GroupFetch& fetch) {
  fetch.memory.batch_refused_until[fetch.endpoint] = fetch.now + kBatchRefusalMemory;
  fetch.logger.Info("BatchGetSecretValue is refused; reading secrets one by one",
                    {{"identity", fetch.endpoint.identity}, {"region", fetch.endpoint.region}});
}

void FetchSecrets(const GroupFetch& fetch, const std::vector<FetchKey>& keys, SecretReader& reader,
                  FetchResults& results) {
  auto [batchable, single] = SplitByBatch(keys);
  SecretReader::BatchOutcome batch;
  if (batchable.size() > kMaxSingleSecrets && !BatchRefused(fetch)) {
    batch = reader.ReadInBatches(batchable);
    single.insert(single.end(), batch.unsolved.begin(), batch.unsolved.end());
  } else {
    single.insert(single.end(), batchable.begin(), batchable.end());
  }
  reader.ReadEach(single);
  if (batch.refused || BatchFailedAlone(batch, results)) RememberRefusal(fetch);
  for (const auto& set : SetsOfOneSecret(keys, results)) {
    Stabilise(set, reader, fetch.memory.stable[set], results);
  }
}

}  // namespace

FetchKey KeyOf(const plan::Source& source, const plan::Plan& plan) {
  FetchKey key;
  key.identity = source.identity;
  key.kind = source.secret.empty() ? SourceKind::kParameter : SourceKind::kSecret;
  key.id = source.secret.empty() ? source.parameter : source.secret;
  key.region = source.region;
  if (key.region.empty()) key.region = std::string(aws::RegionOfArn(key.id));
  if (key.region.empty()) key.region = plan.aws.region;
  if (key.kind == SourceKind::kParameter) return key;
  key.version_id = source.version_id;
  key.stage = source.stage;
  if (key.stage.empty() && key.version_id.empty()) key.stage = std::string(plan::kStageCurrent);
  return key;
}

std::set<FetchKey> KeysOf(const plan::Plan& plan) {
  std::set<FetchKey> keys;
  for (const plan::Target& target : plan.targets) {
    for (const plan::File& file : target.files) {
      if (file.from) keys.insert(KeyOf(*file.from, plan));
      for (const auto& [name, source] : file.with) keys.insert(KeyOf(source, plan));
    }
  }
  return keys;
}

bool IsGone(const Status& status) {
  if (status.code() == StatusCode::kNotFound) return true;
  if (status.code() != StatusCode::kFailedPrecondition) return false;
  // The code is shared with other refusals, the text is not: "…because it was marked for deletion."
  // and, for seconds after a forced deletion, "…because it was deleted."
  // Source: AWS's answers as quoted in external-secrets/external-secrets#4560 and
  // external-secrets/kubernetes-external-secrets#114.
  return status.message().find("marked for deletion") != std::string::npos ||
         status.message().find("marked deleted") != std::string::npos ||
         status.message().find("it was deleted") != std::string::npos;
}

Fetcher::Fetcher(ClientPool& clients, Clock& clock, Logger& logger, metrics::Registry& metrics)
    : clients_(clients),
      clock_(clock),
      logger_(logger),
      metrics_(metrics),
      memory_(std::make_unique<Memory>()) {}

Fetcher::~Fetcher() = default;

FetchResults Fetcher::Fetch(const std::set<FetchKey>& keys, const CallContext& context) {
  std::map<Endpoint, Group> groups;
  for (const FetchKey& key : keys) {
    Group& group = groups[{key.identity, key.region}];
    (key.kind == SourceKind::kSecret ? group.secrets : group.parameters).push_back(key);
  }
  FetchResults results;
  size_t groups_left = groups.size();
  for (const auto& [endpoint, group] : groups) {
    const CallContext share = ShareOf(context, clock_.MonoNow(), groups_left--);
    if (!group.secrets.empty()) {
      auto client = clients_.SecretsManager(endpoint.identity, endpoint.region);
      if (client.ok()) {
        SecretReader reader(**client, share, results);
        FetchSecrets({endpoint, clock_.MonoNow(), *memory_, logger_}, group.secrets, reader,
                     results);
      } else {
        SetAll(group.secrets, client.status(), results);
      }
    }
    if (!group.parameters.empty()) {
      auto client = clients_.Ssm(endpoint.identity, endpoint.region);
      if (client.ok()) {
        ReadParameters(**client, group.parameters, share, results);
      } else {
        SetAll(group.parameters, client.status(), results);
      }
    }
  }
  for (const auto& [key, result] : results) {
    if (result.ok()) continue;
    metrics_
        .GetCounter("keyturn_fetch_errors_total", "Secrets and parameters that could not be read.",
                    {{"code", std::string(StatusCodeName(result.status().code()))}})
        .Increment();
  }
  return results;
}

}  // namespace keyturn::delivery
