// Status: the outcome of an operation that may fail. No exceptions cross a module's interface.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace keyturn {

// The canonical gRPC codes. Callers branch on the code, people read the message.
// Source: https://grpc.github.io/grpc/core/md_doc_statuscodes.html
enum class StatusCode {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "PERMISSION_DENIED" and so on: the spelling of the gRPC documentation, also used as a metric
// label.
std::string_view StatusCodeName(StatusCode code);

// A code and, unless OK, a message of the form "doing what, on what: why".
// SECURITY: a message never holds a secret value, nor a library's what() about secret input.
// THREAD: a value type; as safe as std::string.
class [[nodiscard]] Status {
 public:
  Status() = default;

  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }

  StatusCode code() const { return code_; }

  const std::string& message() const { return message_; }

  // "OK", or "NOT_FOUND: message".
  std::string ToString() const;

  friend bool operator==(const Status&, const Status&) = default;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status OkStatus() {
  return {};
}

Status CancelledError(std::string message);
Status UnknownError(std::string message);
Status InvalidArgumentError(std::string message);
Status DeadlineExceededError(std::string message);
Status NotFoundError(std::string message);
Status AlreadyExistsError(std::string message);
Status PermissionDeniedError(std::string message);
Status ResourceExhaustedError(std::string message);
Status FailedPreconditionError(std::string message);
Status AbortedError(std::string message);
Status OutOfRangeError(std::string message);
Status UnimplementedError(std::string message);
Status InternalError(std::string message);
Status UnavailableError(std::string message);
Status DataLossError(std::string message);
Status UnauthenticatedError(std::string message);

// From errno: the code that fits (ENOENT → NOT_FOUND, EACCES → PERMISSION_DENIED, ENOSPC and EDQUOT
// → RESOURCE_EXHAUSTED, …) and "context: strerror".
Status ErrnoToStatus(int error_number, std::string_view context);

// The same code with "context: " in front of the message; OK stays OK.
Status AnnotateStatus(const Status& status, std::string_view context);

// True for outcomes that a later attempt may change without anybody's action: UNAVAILABLE,
// DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNKNOWN.
bool IsRetryable(StatusCode code);

}  // namespace keyturn

#define KEYTURN_CONCAT_INNER(a, b) a##b
#define KEYTURN_CONCAT(a, b) KEYTURN_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expr` (a Status) is not OK.
#define KEYTURN_RETURN_IF_ERROR(expr)                                      \
  do {                                                                     \
    if (::keyturn::Status status_ = (expr); !status_.ok()) return status_; \
  } while (false)

// KEYTURN_ASSIGN_OR_RETURN(auto x, F()): declares x from a Result, or returns its Status.
#define KEYTURN_ASSIGN_OR_RETURN(lhs, expr) \
  KEYTURN_ASSIGN_OR_RETURN_IMPL(KEYTURN_CONCAT(result_, __LINE__), lhs, expr)
#define KEYTURN_ASSIGN_OR_RETURN_IMPL(result, lhs, expr) \
  auto result = (expr);                                  \
  if (!result.ok()) return result.status();              \
  lhs = std::move(result).value()
