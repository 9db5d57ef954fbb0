// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/delivery_publish/support.h"

namespace keyturn::delivery {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Status Validate(const std::vector<std::string>& paths,
                std::vector<std::string>* cleaned = nullptr) {
  testing::Payload payload;
  for (const std::string& path : paths) payload.push_back({path, "canary-value"});
  std::vector<RenderedFile> files = testing::Render(payload);
  const Status status = ValidatePayload(files);
  for (const RenderedFile& file : files) {
    if (cleaned != nullptr) cleaned->push_back(file.path);
  }
  return status;
}

// Repeats a component until the path has `size` bytes.
std::string LongPath(size_t size) {
  std::string path;
  while (path.size() < size) path += std::string(99, 'd') + "/";
  path.resize(size);
  if (path.back() == '/') path.back() = 'x';
  return path;
}

std::string Repeat(std::string_view text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

struct Accepted {
  std::string path;
  std::string cleaned;
};

TEST(PayloadPathsTest, AcceptsAndCleans) {
  const std::vector<Accepted> cases = {
      {"foo", "foo"},
      {"foo/bar/baz", "foo/bar/baz"},
      {"./x", "x"},
      {"a/", "a"},
      {"a//b", "a/b"},
      {"foo///bar", "foo/bar"},
      {"a/./b", "a/b"},
      {"a/.", "a"},
      {"a/..x", "a/..x"},
      {"foo/..bar", "foo/..bar"},
      {".hidden", ".hidden"},
      {"-rf", "-rf"},
      {"a b", "a b"},
      {"line\nbreak", "line\nbreak"},
      {"\xff", "\xff"},
      {"x..", "x.."},
      {"a/b..c", "a/b..c"},
      {std::string(255, 'n'), std::string(255, 'n')},
      {Repeat("\xc3\xa9", 127) + "x", Repeat("\xc3\xa9", 127) + "x"},
      {LongPath(4096), LongPath(4096)},
      {"a" + Repeat("/", 5000) + "b", "a/b"},
  };
  for (const Accepted& test : cases) {
    std::vector<std::string> cleaned;
    const Status status = Validate({test.path}, &cleaned);
    EXPECT_TRUE(status.ok()) << status.ToString();
    EXPECT_EQ(cleaned.front(), test.cleaned);
  }
}

struct Refused {
  std::string path;
  std::string why;
};

TEST(PayloadPathsTest, RefusesWithTheReason) {
  const std::vector<Refused> cases = {
      {"", "names no file"},
      {".", "names no file"},
      {"./", "names no file"},
      {"./.", "names no file"},
      {"/absolute", "must be relative"},
      {"/", "must be relative"},
      {"..", "\"..\""},
      {"../x", "\"..\""},
      {"a/../b", "\"..\""},
      {"a/..", "\"..\""},
      {"foo/../../bar", "\"..\""},
      {"./../x", "\"..\""},
      {"..x", "reserved"},
      {"..data", "reserved"},
      {"./..data", "reserved"},
      {".//..data/x", "reserved"},
      {"...", "reserved"},
      {"..2026_11_23_10_00_00.abc/x", "reserved"},
      {std::string("a\0b", 3), "NUL"},
      {std::string(256, 'n'), "255 bytes"},
      {"d/" + std::string(256, 'n') + "/f", "255 bytes"},
      {Repeat("\xc3\xa9", 128), "255 bytes"},
      {LongPath(4097), "4096 bytes"},
      {LongPath(4095) + "\xc3\xa9", "4096 bytes"},
  };
  for (const Refused& test : cases) {
    const Status status = Validate({"fine", test.path});
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << test.path;
    EXPECT_THAT(status.message(), HasSubstr(test.why)) << test.path;
    EXPECT_THAT(status.message(), Not(HasSubstr("canary")));
  }
}

TEST(PayloadPathsTest, RefusesPathsThatCleanToTheSame) {
  for (const auto& [a, b] : {std::pair{"a", "a/"}, {"a/b", "a//b"}, {"./a", "a"}, {"x", "x"}}) {
    const Status status = Validate({a, "other", b});
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("given twice"));
  }
}

TEST(PayloadPathsTest, RefusesAFileThatIsAlsoADirectory) {
  const std::vector<std::vector<std::string>> cases = {
      {"a", "a/b"}, {"a/b", "a"}, {"a/b/c/d", "a/b"}, {"a", "a-", "a/b"}, {"./a", "a/./b"}};
  for (const std::vector<std::string>& paths : cases) {
    const Status status = Validate(paths);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("is a file already"));
  }
  EXPECT_TRUE(Validate({"a", "a-b", "ab/c", "a.b"}).ok());
}

TEST(PayloadPathsTest, RefusesSpecialModeBits) {
  for (const uint32_t mode : {04444U, 02444U, 01444U, 010000U, 0xFFFFFFFFU}) {
    std::vector<RenderedFile> files = testing::Render({{"a", "x", mode}});
    EXPECT_EQ(ValidatePayload(files).code(), StatusCode::kInvalidArgument);
  }
  std::vector<RenderedFile> files = testing::Render({{"a", "x", 0777}, {"b", "x", 0}});
  EXPECT_TRUE(ValidatePayload(files).ok());
}

TEST(PayloadPathsTest, AcceptsAnEmptyPayload) {
  EXPECT_TRUE(Validate({}).ok());
}

}  // namespace
}  // namespace keyturn::delivery
