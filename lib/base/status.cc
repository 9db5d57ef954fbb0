// SPDX-License-Identifier: Apache-2.0
#include "lib/base/status.h"

#include <errno.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "lib/base/check.h"

namespace keyturn {
namespace {

constexpr std::array<std::string_view, 17> kNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

StatusCode CodeFromErrno(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case ESRCH:
      return StatusCode::kNotFound;
    case EEXIST:
      return StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return StatusCode::kResourceExhausted;
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
    case ELOOP:
      return StatusCode::kFailedPrecondition;
    case EINVAL:
    case ENAMETOOLONG:
      return StatusCode::kInvalidArgument;
    case ETIMEDOUT:
      return StatusCode::kDeadlineExceeded;
    case EAGAIN:
    case EBUSY:
    case EINTR:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return StatusCode::kUnavailable;
    case ENOSYS:
    case EOPNOTSUPP:
      return StatusCode::kUnimplemented;
    default:
      return StatusCode::kInternal;
  }
}

}  // namespace

std::string_view StatusCodeName(StatusCode code) {
  return kNames.at(static_cast<size_t>(code));
}

std::string Status::ToString() const {
  if (ok()) return "OK";
  return std::string(StatusCodeName(code_)) + ": " + message_;
}

Status CancelledError(std::string message) {
  return {StatusCode::kCancelled, std::move(message)};
}

Status UnknownError(std::string message) {
  return {StatusCode::kUnknown, std::move(message)};
}

Status InvalidArgumentError(std::string message) {
  return {StatusCode::kInvalidArgument, std::move(message)};
}

Status DeadlineExceededError(std::string message) {
  return {StatusCode::kDeadlineExceeded, std::move(message)};
}

Status NotFoundError(std::string message) {
  return {StatusCode::kNotFound, std::move(message)};
}

Status AlreadyExistsError(std::string message) {
  return {StatusCode::kAlreadyExists, std::move(message)};
}

Status PermissionDeniedError(std::string message) {
  return {StatusCode::kPermissionDenied, std::move(message)};
}

Status ResourceExhaustedError(std::string message) {
  return {StatusCode::kResourceExhausted, std::move(message)};
}

Status FailedPreconditionError(std::string message) {
  return {StatusCode::kFailedPrecondition, std::move(message)};
}

Status AbortedError(std::string message) {
  return {StatusCode::kAborted, std::move(message)};
}

Status OutOfRangeError(std::string message) {
  return {StatusCode::kOutOfRange, std::move(message)};
}

Status UnimplementedError(std::string message) {
  return {StatusCode::kUnimplemented, std::move(message)};
}

Status InternalError(std::string message) {
  return {StatusCode::kInternal, std::move(message)};
}

Status UnavailableError(std::string message) {
  return {StatusCode::kUnavailable, std::move(message)};
}

Status DataLossError(std::string message) {
  return {StatusCode::kDataLoss, std::move(message)};
}

Status UnauthenticatedError(std::string message) {
  return {StatusCode::kUnauthenticated, std::move(message)};
}

Status ErrnoToStatus(int error_number, std::string_view context) {
  std::string message(context);
  message += ": ";
  message += std::generic_category().message(error_number);
  return {CodeFromErrno(error_number), std::move(message)};
}

Status AnnotateStatus(const Status& status, std::string_view context) {
  if (status.ok()) return status;
  std::string message(context);
  message += ": ";
  message += status.message();
  return {status.code(), std::move(message)};
}

bool IsRetryable(StatusCode code) {
  switch (code) {
    case StatusCode::kUnavailable:
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kResourceExhausted:
    case StatusCode::kAborted:
    case StatusCode::kInternal:
    case StatusCode::kUnknown:
      return true;
    default:
      return false;
  }
}

namespace internal {

void CheckFailed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "check failed: %s at %s:%d\n", expression, file, line);
  std::abort();
}

}  // namespace internal
}  // namespace keyturn
