// Tests of SecretBytes and of the replaced operator delete: after a secret dies, no byte of the
// process's memory still holds it.
// SPDX-License-Identifier: Apache-2.0
#include "lib/base/secret_bytes.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <map>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "lib/base/unique_fd.h"

namespace keyturn {
namespace {

constexpr size_t kCanarySize = 48;

// The canary's bytes are computed, so that the program's own text does not hold it.
char CanaryByte(size_t i) {
  return static_cast<char>('!' + (i * 37 + 11) % 90);
}

std::string MakeCanary() {
  std::string canary(kCanarySize, '\0');
  for (size_t i = 0; i < kCanarySize; ++i) canary[i] = CanaryByte(i);
  return canary;
}

bool IsCanaryAt(const char* memory) {
  for (size_t i = 0; i < kCanarySize; ++i) {
    if (memory[i] != CanaryByte(i)) return false;
  }
  return true;
}

// Counts the canary in every writable mapping. Reads through /proc/self/mem, because freed memory
// must not be touched directly under AddressSanitizer.
size_t CanariesInMemory() {
  static std::array<char, 1 << 20> buffer;
  const UniqueFd memory(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
  const auto buffer_at = reinterpret_cast<uintptr_t>(buffer.data());
  std::ifstream maps("/proc/self/maps");
  size_t found = 0;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char writable = '-';
    if (std::sscanf(line.c_str(), "%lx-%lx r%c", &begin, &end, &writable) != 3) continue;
    if (writable != 'w' || (end - begin) > (1UL << 30)) continue;  // sanitizer shadow: not ours
    for (uintptr_t at = begin; at < end; at += buffer.size() - kCanarySize) {
      const ssize_t count = ::pread(memory.get(), buffer.data(), std::min(buffer.size(), end - at),
                                    static_cast<off_t>(at));
      for (ssize_t i = 0; i + static_cast<ssize_t>(kCanarySize) <= count; ++i) {
        const uintptr_t address = at + static_cast<uintptr_t>(i);
        const bool own = address >= buffer_at && address < buffer_at + buffer.size();
        if (!own && IsCanaryAt(buffer.data() + i)) ++found;
      }
    }
  }
  buffer.fill(0);
  return found;
}

std::string_view Reveal(const SecretBytes& secret) {
  return secret.Reveal(InsecureSecretAccess::Get());
}

TEST(SecretMemoryTest, TheScanFindsALiveSecretAndNothingAfterItsEnd) {
  {
    std::string text = MakeCanary();
    const SecretBytes secret(text);
    Cleanse(text);
    EXPECT_GE(CanariesInMemory(), 1U);
  }
  EXPECT_EQ(CanariesInMemory(), 0U);
}

TEST(SecretMemoryTest, ClearingMovingAndCloningLeaveNothingBehind) {
  {
    std::string text = MakeCanary();
    const ScopedCleanse cleanse(text);
    SecretBytes first(text);
    SecretBytes second = first.Clone();
    SecretBytes third = std::move(first);
    second = std::move(third);
    second.Clear();
    SecretBytes fourth(text);
    fourth = SecretBytes(std::string_view("short"));
  }
  EXPECT_EQ(CanariesInMemory(), 0U);
}

TEST(SecretMemoryTest, FreedCopiesInOrdinaryContainersAreGone) {
  {
    std::vector<std::string> copies;
    for (int i = 0; i < 100; ++i) copies.push_back(MakeCanary());  // grows: frees old blocks
    std::map<std::string, std::string> map = {{MakeCanary(), MakeCanary()}};
    std::string grown;
    for (int i = 0; i < 20; ++i) grown += MakeCanary();  // reallocates
    const auto array = std::make_unique<char[]>(kCanarySize);
    copies[0].copy(array.get(), kCanarySize);

    struct alignas(64) Aligned {
      std::array<char, 64> bytes;
    };

    const auto aligned = std::make_unique<Aligned>();
    copies[0].copy(aligned->bytes.data(), kCanarySize);
    copies[1].resize(3);  // the rest stays in the block until it is freed
    EXPECT_GE(CanariesInMemory(), 100U);
  }
  EXPECT_EQ(CanariesInMemory(), 0U);
}

TEST(SecretBytesTest, HoldsAndComparesBytes) {
  const std::string binary("a\0b\xFF", 4);
  const SecretBytes secret(binary);
  EXPECT_EQ(Reveal(secret), binary);
  EXPECT_EQ(secret.size(), 4U);
  EXPECT_TRUE(secret == SecretBytes(binary));
  EXPECT_FALSE(secret == SecretBytes(std::string_view("a\0b\xFE", 4)));
  EXPECT_FALSE(secret == SecretBytes(std::string_view("a\0b", 3)));
  EXPECT_FALSE(secret == SecretBytes());
  EXPECT_TRUE(SecretBytes() == SecretBytes(std::string_view()));
}

TEST(SecretBytesTest, AMovedFromOrClearedValueIsEmpty) {
  SecretBytes first(std::string_view("value"));
  SecretBytes second = std::move(first);
  EXPECT_TRUE(first.empty());
  EXPECT_EQ(Reveal(first), "");
  SecretBytes& same = second;
  second = std::move(same);
  EXPECT_EQ(Reveal(second), "value");
  second.Clear();
  second.Clear();
  EXPECT_TRUE(second.empty());
}

TEST(SecretBytesTest, ASizedValueIsZeroAndCanBeFilled) {
  SecretBytes secret(size_t{3});
  EXPECT_EQ(Reveal(secret), std::string_view("\0\0\0", 3));
  secret.MutableReveal(InsecureSecretAccess::Get())[1] = 'x';
  EXPECT_EQ(Reveal(secret), std::string_view("\0x\0", 3));
  EXPECT_TRUE(SecretBytes(size_t{0}).empty());
}

TEST(SecretBytesTest, CleanseEmptiesAndOverwritesInPlace) {
  std::string text = "a value that is longer than the short string buffer";
  const char* const memory = text.data();
  const size_t size = text.size();
  Cleanse(text);
  EXPECT_TRUE(text.empty());
  for (size_t i = 0; i < size; ++i) EXPECT_EQ(memory[i], '\0');
}

template <typename T>
concept Streamable = requires(std::ostream& out, const T& value) {
  out << value;
};

TEST(SecretBytesTest, CannotBeCopiedPrintedOrConverted) {
  static_assert(!std::is_copy_constructible_v<SecretBytes>);
  static_assert(!std::is_copy_assignable_v<SecretBytes>);
  static_assert(!Streamable<SecretBytes>);
  static_assert(!std::is_convertible_v<SecretBytes, std::string>);
  static_assert(!std::is_convertible_v<SecretBytes, std::string_view>);
  static_assert(!std::is_convertible_v<std::string_view, SecretBytes>);
  static_assert(!std::is_convertible_v<std::string, SecretBytes>);
}

}  // namespace
}  // namespace keyturn
