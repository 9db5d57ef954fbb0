// Tests of Status and Result.
// SPDX-License-Identifier: Apache-2.0
#include "lib/base/status.h"

#include <cerrno>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "lib/base/result.h"

namespace keyturn {
namespace {

TEST(StatusTest, DefaultsToOk) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status, OkStatus());
  EXPECT_EQ(status.ToString(), "OK");
}

TEST(StatusTest, EveryConstructorHasItsCodeAndSpelling) {
  const struct {
    Status status;
    StatusCode code;
    const char* text;
  } cases[] = {
      {CancelledError("m"), StatusCode::kCancelled, "CANCELLED: m"},
      {UnknownError("m"), StatusCode::kUnknown, "UNKNOWN: m"},
      {InvalidArgumentError("m"), StatusCode::kInvalidArgument, "INVALID_ARGUMENT: m"},
      {DeadlineExceededError("m"), StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED: m"},
      {NotFoundError("m"), StatusCode::kNotFound, "NOT_FOUND: m"},
      {AlreadyExistsError("m"), StatusCode::kAlreadyExists, "ALREADY_EXISTS: m"},
      {PermissionDeniedError("m"), StatusCode::kPermissionDenied, "PERMISSION_DENIED: m"},
      {ResourceExhaustedError("m"), StatusCode::kResourceExhausted, "RESOURCE_EXHAUSTED: m"},
      {FailedPreconditionError("m"), StatusCode::kFailedPrecondition, "FAILED_PRECONDITION: m"},
      {AbortedError("m"), StatusCode::kAborted, "ABORTED: m"},
      {OutOfRangeError("m"), StatusCode::kOutOfRange, "OUT_OF_RANGE: m"},
      {UnimplementedError("m"), StatusCode::kUnimplemented, "UNIMPLEMENTED: m"},
      {InternalError("m"), StatusCode::kInternal, "INTERNAL: m"},
      {UnavailableError("m"), StatusCode::kUnavailable, "UNAVAILABLE: m"},
      {DataLossError("m"), StatusCode::kDataLoss, "DATA_LOSS: m"},
      {UnauthenticatedError("m"), StatusCode::kUnauthenticated, "UNAUTHENTICATED: m"},
  };

  for (const auto& c : cases) {
    EXPECT_EQ(c.status.code(), c.code);
    EXPECT_EQ(c.status.ToString(), c.text);
    EXPECT_FALSE(c.status.ok());
  }
}

TEST(StatusTest, ErrnoBecomesTheFittingCodeAndNamesTheContext) {
  const struct {
    int error;
    StatusCode code;
  } cases[] = {
      {ENOENT, StatusCode::kNotFound},
      {EEXIST, StatusCode::kAlreadyExists},
      {EACCES, StatusCode::kPermissionDenied},
      {EROFS, StatusCode::kPermissionDenied},
      {ENOSPC, StatusCode::kResourceExhausted},
      {EDQUOT, StatusCode::kResourceExhausted},
      {EMFILE, StatusCode::kResourceExhausted},
      {ELOOP, StatusCode::kFailedPrecondition},
      {ENOTEMPTY, StatusCode::kFailedPrecondition},
      {EINVAL, StatusCode::kInvalidArgument},
      {ETIMEDOUT, StatusCode::kDeadlineExceeded},
      {ECONNREFUSED, StatusCode::kUnavailable},
      {ENOSYS, StatusCode::kUnimplemented},
      {EIO, StatusCode::kInternal},
  };

  for (const auto& c : cases) {
    EXPECT_EQ(ErrnoToStatus(c.error, "open x").code(), c.code) << c.error;
  }
  EXPECT_EQ(ErrnoToStatus(ENOENT, "open x").message(), "open x: No such file or directory");
}

TEST(StatusTest, AnnotationKeepsCodeAndLeavesOkAlone) {
  const Status status = AnnotateStatus(NotFoundError("no such file"), "read plan");
  EXPECT_EQ(status, NotFoundError("read plan: no such file"));
  EXPECT_TRUE(AnnotateStatus(OkStatus(), "read plan").ok());
}

TEST(StatusTest, OnlyPassingTroublesAreRetryable) {
  const std::set<StatusCode> retryable = {
      StatusCode::kUnavailable, StatusCode::kDeadlineExceeded, StatusCode::kResourceExhausted,
      StatusCode::kAborted,     StatusCode::kInternal,         StatusCode::kUnknown};
  for (int code = 0; code <= 16; ++code) {
    const auto value = static_cast<StatusCode>(code);
    EXPECT_EQ(IsRetryable(value), retryable.contains(value)) << StatusCodeName(value);
  }
}

Result<int> Half(int number) {
  if (number % 2 != 0) return InvalidArgumentError("odd");
  return number / 2;
}

Result<int> Quarter(int number) {
  KEYTURN_ASSIGN_OR_RETURN(const int half, Half(number));
  KEYTURN_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

Status CheckQuarter(int number) {
  KEYTURN_RETURN_IF_ERROR(Quarter(number).status());
  return OkStatus();
}

TEST(ResultTest, MacrosPassValuesOnAndReturnErrors) {
  ASSERT_TRUE(Quarter(8).ok());
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status(), InvalidArgumentError("odd"));
  EXPECT_TRUE(CheckQuarter(8).ok());
  EXPECT_EQ(CheckQuarter(2), InvalidArgumentError("odd"));
}

TEST(ResultTest, CarriesMoveOnlyValues) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(**result, 7);
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 7);
}

TEST(ResultTest, AStatusAsValueIsNotConfusedWithAnError) {
  const Result<std::string> text = std::string("NOT_FOUND");
  EXPECT_TRUE(text.ok());
  EXPECT_TRUE(text.status().ok());
  EXPECT_EQ(text->size(), 9U);
}

TEST(ResultDeathTest, UsingAFailedResultOrAnOkErrorTerminates) {
  Result<std::string> failed = NotFoundError("canary");
  EXPECT_DEATH((void)failed.value(), "check failed");
  EXPECT_DEATH((void)failed->size(), "check failed");
  EXPECT_DEATH((void)Result<int>(OkStatus()), "check failed");
}

}  // namespace
}  // namespace keyturn
