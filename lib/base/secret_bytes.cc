// SPDX-License-Identifier: Apache-2.0
#include "lib/base/secret_bytes.h"

#include <string.h>

#include <utility>

namespace keyturn {

SecretBytes::SecretBytes(std::string_view bytes) : SecretBytes(bytes.size()) {
  if (!bytes.empty()) ::memcpy(data_.get(), bytes.data(), bytes.size());
}

SecretBytes::SecretBytes(size_t size)
    : data_(size == 0 ? nullptr : std::make_unique<char[]>(size)), size_(size) {}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    Clear();
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

SecretBytes::~SecretBytes() {
  Clear();
}

SecretBytes SecretBytes::Clone() const {
  return SecretBytes(std::string_view(data_.get(), size_));
}

void SecretBytes::Clear() {
  if (size_ != 0) ::explicit_bzero(data_.get(), size_);
  data_.reset();
  size_ = 0;
}

bool operator==(const SecretBytes& a, const SecretBytes& b) {
  if (a.size_ != b.size_) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size_; ++i) {
    difference |= static_cast<unsigned>(a.data_[i] ^ b.data_[i]);
  }
  return difference == 0;
}

void Cleanse(std::string& text) {
  ::explicit_bzero(text.data(), text.capacity());
  text.clear();
}

}  // namespace keyturn
