// SPDX-License-Identifier: Apache-2.0
#include "lib/net/exchange.h"

#include <algorithm>
#include <string>

#include "lib/base/secret_bytes.h"
#include "lib/base/strings.h"

namespace keyturn::net {
namespace {

// One TLS record; larger reads gain nothing.
constexpr size_t kReadSize = 16 * 1024;

// Bytes that were read and not yet understood. Cleansed at the end: they hold secret values.
class ReadBuffer {
 public:
  explicit ReadBuffer(size_t max_size) : max_size_(std::max(max_size, kReadSize)) {
    bytes_.resize(kReadSize);
  }

  ~ReadBuffer() { Cleanse(bytes_); }

  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;

  std::string_view filled() const { return std::string_view(bytes_).substr(0, size_); }

  char* free_begin() { return bytes_.data() + size_; }

  size_t free_size() const { return bytes_.size() - size_; }

  void Commit(size_t count) { size_ += count; }

  void Consume(size_t count) {
    std::copy(bytes_.begin() + static_cast<std::ptrdiff_t>(count),
              bytes_.begin() + static_cast<std::ptrdiff_t>(size_), bytes_.begin());
    size_ -= count;
  }

  // False when something that must be whole (a head, a chunk's head) does not fit.
  bool MakeRoom() {
    if (free_size() > 0) return true;
    if (bytes_.size() >= max_size_) return false;
    std::string larger(std::min(bytes_.size() * 2, max_size_), '\0');
    std::copy(bytes_.begin(), bytes_.end(), larger.begin());
    bytes_.swap(larger);
    Cleanse(larger);
    return true;
  }

 private:
  const size_t max_size_;
  std::string bytes_;
  size_t size_ = 0;
};

bool IsConnectionFailure(const Status& status) {
  return status.code() == StatusCode::kUnavailable;
}

class ResponseLoop {
 public:
  ResponseLoop(Connection& connection, ResponseReader& reader, const TransportLimits& limits)
      : connection_(connection), reader_(reader), buffer_(limits.max_header_bytes) {}

  // Reads until the response is whole.
  Status Run(IoWaiter& waiter, const CallBudget& budget) {
    const Step step = budget.BeginStep("wait for the response");
    while (!reader_.done()) {
      // A server that never pauses would otherwise never let a wait see the deadline.
      KEYTURN_RETURN_IF_ERROR(budget.Check(step));
      if (!buffer_.MakeRoom()) {
        return ResourceExhaustedError("the response header or a chunk header is too long");
      }
      auto count = connection_.Read(buffer_.free_begin(), buffer_.free_size(), waiter, step);
      if (!count.ok()) return ReadError(count.status());
      if (*count == 0) return AtEnd();
      got_bytes_ = true;
      buffer_.Commit(*count);
      KEYTURN_ASSIGN_OR_RETURN(const size_t used, reader_.Feed(buffer_.filled()));
      buffer_.Consume(used);
    }
    return OkStatus();
  }

  bool got_bytes() const { return got_bytes_; }

  bool has_leftover() const { return !buffer_.filled().empty(); }

 private:
  // A connection that breaks in the middle of a response has lost data; before it, nothing.
  Status ReadError(const Status& status) const {
    if (!got_bytes_ || !IsConnectionFailure(status)) return status;
    return DataLossError(StrCat("the response is truncated: ", status.message()));
  }

  Status AtEnd() {
    if (got_bytes_) return reader_.FinishAtEnd();
    return UnavailableError("wait for the response: the server closed the connection");
  }

  Connection& connection_;
  ResponseReader& reader_;
  ReadBuffer buffer_;
  bool got_bytes_ = false;
};

}  // namespace

ExchangeResult Exchange(Connection& connection, const ExchangeInput& input,
                        const TransportLimits& limits, IoWaiter& waiter, const CallBudget& budget) {
  ExchangeResult result;
  const Status sent = connection.Write(input.wire, waiter, budget.BeginStep("send the request"));
  if (!sent.ok() && !IsConnectionFailure(sent)) {
    result.status = sent;
    return result;
  }
  // After a failed write too: a server that refuses a body answers and closes without reading it.
  ResponseReader reader(limits, input.kind, input.sink);
  ResponseLoop loop(connection, reader, limits);
  result.status = loop.Run(waiter, budget);
  if (!result.status.ok()) {
    result.closed_unanswered = !loop.got_bytes() && IsConnectionFailure(result.status);
    if (result.closed_unanswered && !sent.ok()) result.status = sent;
    return result;
  }
  result.reusable = sent.ok() && reader.keep_alive() && !loop.has_leftover();
  result.response = reader.Take();
  return result;
}

}  // namespace keyturn::net
