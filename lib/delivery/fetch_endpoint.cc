// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/fetch_endpoint.h"

#include <algorithm>
#include <span>

#include "lib/base/strings.h"

namespace keyturn::delivery {
namespace {

// A dead endpoint costs its connect timeout per call; three in a row are enough evidence.
constexpr int kMaxUnanswered = 3;

FetchedPtr ToFetched(aws::SecretValue value) {
  auto fetched = std::make_shared<FetchedValue>();
  fetched->arn = std::move(value.arn);
  fetched->name = std::move(value.name);
  fetched->version_id = std::move(value.version_id);
  fetched->stages = std::move(value.stages);
  fetched->value = std::move(value.value);
  fetched->is_binary = value.is_binary;
  return fetched;
}

FetchedPtr ToFetched(aws::ParameterValue value) {
  auto fetched = std::make_shared<FetchedValue>();
  fetched->arn = std::move(value.arn);
  fetched->name = std::move(value.name);
  fetched->version_id = std::to_string(value.version);
  fetched->value = std::move(value.value);
  return fetched;
}

void SetAll(std::span<const FetchKey> keys, const Status& status, FetchResults& results) {
  for (const FetchKey& key : keys) results.insert_or_assign(key, status);
}

// Inside a batch these are the secret's own, whatever way it is asked.
bool IsFinalInBatch(StatusCode code) {
  return code == StatusCode::kFailedPrecondition || code == StatusCode::kInvalidArgument;
}

Fetcher::Memory::Versions VersionsOf(const std::set<FetchKey>& set, const FetchResults& results) {
  Fetcher::Memory::Versions versions;
  for (const FetchKey& key : set) {
    const Result<FetchedPtr>& result = results.at(key);
    versions[key] =
        result.ok() ? (*result)->version_id : StrCat("!", StatusCodeName(result.status().code()));
  }
  return versions;
}

// A read that failed for a passing reason says nothing about versions; its file fails anyway.
bool HasPassingFailure(const std::set<FetchKey>& set, const FetchResults& results) {
  return std::any_of(set.begin(), set.end(), [&](const FetchKey& key) {
    const Status& status = results.at(key).status();
    return IsRetryable(status.code()) || IsEndpointFailure(status.code());
  });
}

void ReadParameterChunk(aws::Ssm& client, std::span<const FetchKey> chunk,
                        const CallContext& context, FetchResults& results) {
  std::vector<std::string> names;
  for (const FetchKey& key : chunk) names.push_back(key.id);
  auto answer = client.GetParameters(names, context);
  if (!answer.ok()) {
    // One forbidden or malformed name fails the whole call: ask for each alone to learn which.
    const StatusCode code = answer.status().code();
    const bool ask_each = chunk.size() > 1 && !IsEndpointFailure(code);
    if (!ask_each) return SetAll(chunk, answer.status(), results);
    for (const FetchKey& key : chunk) ReadParameterChunk(client, {&key, 1}, context, results);
    return;
  }
  for (const FetchKey& key : chunk) {
    const auto found = answer->find(key.id);
    if (found == answer->end()) {
      results.insert_or_assign(key, NotFoundError("GetParameters: the answer leaves it out"));
    } else if (!found->second.ok()) {
      results.insert_or_assign(key, found->second.status());
    } else {
      results.insert_or_assign(key, ToFetched(std::move(found->second).value()));
    }
  }
}

}  // namespace

bool IsEndpointFailure(StatusCode code) {
  return code == StatusCode::kUnavailable || code == StatusCode::kDeadlineExceeded ||
         code == StatusCode::kCancelled || code == StatusCode::kUnauthenticated;
}

void SecretReader::Record(const FetchKey& key, Result<aws::SecretValue> answer) {
  if (answer.ok()) {
    results_.insert_or_assign(key, ToFetched(std::move(answer).value()));
  } else {
    results_.insert_or_assign(key, answer.status());
  }
}

void SecretReader::ReadEach(const std::vector<FetchKey>& keys) {
  for (const FetchKey& key : keys) {
    if (!given_up_.ok()) {
      results_.insert_or_assign(key, given_up_);
      continue;
    }
    auto answer = client_.GetSecretValue({key.id, key.version_id, key.stage}, context_);
    const Status status = answer.status();
    Record(key, std::move(answer));
    unanswered_ = IsEndpointFailure(status.code()) ? unanswered_ + 1 : 0;
    const bool final =
        status.code() == StatusCode::kCancelled || status.code() == StatusCode::kUnauthenticated;
    if (final || unanswered_ >= kMaxUnanswered) given_up_ = status;
  }
}

// False when further chunks must not be batched.
bool SecretReader::ReadChunk(const std::vector<FetchKey>& chunk, BatchOutcome& outcome) {
  std::vector<std::string> ids;
  for (const FetchKey& key : chunk) ids.push_back(key.id);
  auto answer = client_.BatchGetSecretValue(ids, context_);
  if (!answer.ok()) {
    const StatusCode code = answer.status().code();
    if (code == StatusCode::kUnavailable) {
      // Down, or without this operation (some emulators answer 501): one single call will tell.
      unanswered_ = kMaxUnanswered - 1;
      outcome.doubted.insert(outcome.doubted.end(), chunk.begin(), chunk.end());
    } else if (IsEndpointFailure(code)) {
      given_up_ = answer.status();
      SetAll(chunk, given_up_, results_);
      return true;
    }
    outcome.refused = !IsRetryable(code);
    outcome.unsolved.insert(outcome.unsolved.end(), chunk.begin(), chunk.end());
    return false;
  }
  for (const FetchKey& key : chunk) {
    const auto found = answer->by_id.find(key.id);
    const bool solved = found != answer->by_id.end() &&
                        (found->second.ok() || IsFinalInBatch(found->second.status().code()));
    if (solved) {
      Record(key, std::move(found->second));
      continue;
    }
    outcome.unsolved.push_back(key);
    if (found != answer->by_id.end() &&
        found->second.status().code() == StatusCode::kPermissionDenied) {
      outcome.doubted.push_back(key);
    }
  }
  return true;
}

SecretReader::BatchOutcome SecretReader::ReadInBatches(const std::vector<FetchKey>& keys) {
  BatchOutcome outcome;
  bool batching = true;
  for (size_t begin = 0; begin < keys.size(); begin += kMaxBatchSecrets) {
    const size_t end = std::min(begin + kMaxBatchSecrets, keys.size());
    const std::vector<FetchKey> chunk(keys.begin() + static_cast<std::ptrdiff_t>(begin),
                                      keys.begin() + static_cast<std::ptrdiff_t>(end));
    if (!batching || !given_up_.ok()) {
      outcome.unsolved.insert(outcome.unsolved.end(), chunk.begin(), chunk.end());
    } else {
      batching = ReadChunk(chunk, outcome);
    }
  }
  return outcome;
}

std::vector<std::set<FetchKey>> SetsOfOneSecret(const std::vector<FetchKey>& keys,
                                                const FetchResults& results) {
  std::map<std::string, std::string> arn_of_id;
  for (const FetchKey& key : keys) {
    const auto& result = results.at(key);
    if (result.ok()) arn_of_id[key.id] = (*result)->arn;
  }
  std::map<std::string, std::set<FetchKey>> by_secret;
  for (const FetchKey& key : keys) {
    // A fixed version cannot change between two reads.
    if (!key.version_id.empty()) continue;
    const auto arn = arn_of_id.find(key.id);
    by_secret[arn == arn_of_id.end() ? key.id : arn->second].insert(key);
  }
  std::vector<std::set<FetchKey>> sets;
  for (auto& [secret, set] : by_secret) {
    if (set.size() > 1) sets.push_back(std::move(set));
  }
  return sets;
}

void Stabilise(const std::set<FetchKey>& set, SecretReader& reader, Fetcher::Memory::Versions& last,
               FetchResults& results) {
  // What a stable read has shown before is no mixture of old and new: nothing was rotated since.
  if (HasPassingFailure(set, results)) return;
  auto versions = VersionsOf(set, results);
  for (int reads = 1; versions != last; ++reads) {
    if (reads == kMaxStableReads) {
      const Status status = UnavailableError(
          StrCat("its versions changed during each of ", kMaxStableReads, " reads"));
      for (const FetchKey& key : set) results.insert_or_assign(key, status);
      last.clear();
      return;
    }
    last = std::move(versions);
    reader.ReadEach({set.begin(), set.end()});
    if (HasPassingFailure(set, results)) {
      // An unconfirmed read must not pass for a stable one in the next pass.
      last.clear();
      const Status status =
          UnavailableError("its versions changed and could not be read again to confirm them");
      for (const FetchKey& key : set) {
        if (results.at(key).ok()) results.insert_or_assign(key, status);
      }
      return;
    }
    versions = VersionsOf(set, results);
  }
}

void ReadParameters(aws::Ssm& client, const std::vector<FetchKey>& keys, const CallContext& context,
                    FetchResults& results) {
  const std::span<const FetchKey> all(keys);
  for (size_t begin = 0; begin < all.size(); begin += aws::kMaxParametersPerCall) {
    const size_t count = std::min(aws::kMaxParametersPerCall, all.size() - begin);
    ReadParameterChunk(client, all.subspan(begin, count), context, results);
    // The endpoint is down or the credentials are refused: the other chunks would meet the same.
    const Status& status = results.at(all[begin]).status();
    if (IsEndpointFailure(status.code())) {
      return SetAll(all.subspan(begin + count), status, results);
    }
  }
}

}  // namespace keyturn::delivery
