// EndpointFetch: one pass over the keys of one identity in one region.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "lib/delivery/fetch.h"

namespace keyturn::delivery {

// What a Fetcher remembers between passes.
struct Fetcher::Memory {
  // The version (or the error's name) per key of a set, as last read in a stable state.
  using Versions = std::map<FetchKey, std::string>;
  std::map<Endpoint, MonoTime> batch_refused_until;
  std::map<std::set<FetchKey>, Versions> stable;
};

// A failure of the endpoint or the identity, which the next secret would meet as well.
bool IsEndpointFailure(StatusCode code);

// Reads secrets through one client. Lives for one pass.
class SecretReader {
 public:
  SecretReader(aws::SecretsManager& client, const CallContext& context, FetchResults& results)
      : client_(client), context_(context), results_(results) {}

  // One GetSecretValue per key; after too many unanswered calls the rest takes the last failure.
  void ReadEach(const std::vector<FetchKey>& keys);

  struct BatchOutcome {
    bool refused = false;            // the operation itself is not allowed or not known
    std::vector<FetchKey> unsolved;  // to be read one by one
    // Of these: what the batch failed for a reason that may be its own. If a single call can read
    // one of them, it is.
    std::vector<FetchKey> doubted;
  };

  // BatchGetSecretValue in chunks.
  BatchOutcome ReadInBatches(const std::vector<FetchKey>& keys);

 private:
  bool ReadChunk(const std::vector<FetchKey>& chunk, BatchOutcome& outcome);
  void Record(const FetchKey& key, Result<aws::SecretValue> answer);

  aws::SecretsManager& client_;
  const CallContext& context_;
  FetchResults& results_;
  int unanswered_ = 0;  // calls in a row that the endpoint did not answer
  Status given_up_;     // set: no more calls to this endpoint in this pass
};

// The keys of `keys` that belong to one secret, for every secret with several of them: by ARN where
// one was answered, so that a name and an ARN of the same secret meet.
std::vector<std::set<FetchKey>> SetsOfOneSecret(const std::vector<FetchKey>& keys,
                                                const FetchResults& results);

// Re-reads the keys of one secret until two reads agree; else makes them all UNAVAILABLE.
void Stabilise(const std::set<FetchKey>& set, SecretReader& reader, Fetcher::Memory::Versions& last,
               FetchResults& results);

// GetParameters for all `keys`.
void ReadParameters(aws::Ssm& client, const std::vector<FetchKey>& keys, const CallContext& context,
                    FetchResults& results);

}  // namespace keyturn::delivery
