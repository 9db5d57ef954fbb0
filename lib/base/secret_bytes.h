// SecretBytes: the one type that owns a secret value. It cleanses its memory and cannot be printed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace keyturn {

// The right to read a SecretBytes. Its constructor is private, so every place that reads a secret
// value is found by searching for "InsecureSecretAccess::Get".
class SecretAccess {
 private:
  friend class InsecureSecretAccess;
  SecretAccess() = default;
};

// SECURITY: call only where the bytes leave for their destination (a file, a signature, a parser)
// and never to build a message.
class InsecureSecretAccess {
 public:
  static SecretAccess Get() { return {}; }
};

// Owns a byte string that is overwritten with explicit_bzero before its memory is given back.
// Move-only; copying is explicit (Clone). No operator<<, no implicit conversion, no fmt formatter.
// The empty value owns no memory. THREAD: a value type, like std::string.
class SecretBytes {
 public:
  SecretBytes() = default;
  // Copies `bytes`; the caller stays responsible for the source.
  explicit SecretBytes(std::string_view bytes);
  // `size` bytes of zero, to be filled through MutableReveal.
  explicit SecretBytes(size_t size);

  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes();

  SecretBytes Clone() const;

  size_t size() const { return size_; }

  bool empty() const { return size_ == 0; }

  // The bytes; valid until this object is changed or destroyed.
  std::string_view Reveal(SecretAccess) const { return {data_.get(), size_}; }

  char* MutableReveal(SecretAccess) { return data_.get(); }

  // Equality in time that depends only on the sizes.
  friend bool operator==(const SecretBytes& a, const SecretBytes& b);

  // Overwrites and empties.
  void Clear();

 private:
  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
};

// Overwrites the characters of `text` and empties it: for std::string copies that libraries force
// on us.
void Cleanse(std::string& text);

// Cleanses a std::string at the end of a scope.
class ScopedCleanse {
 public:
  explicit ScopedCleanse(std::string& text) : text_(text) {}

  ~ScopedCleanse() { Cleanse(text_); }

  ScopedCleanse(const ScopedCleanse&) = delete;
  ScopedCleanse& operator=(const ScopedCleanse&) = delete;

 private:
  std::string& text_;
};

}  // namespace keyturn
