// Replaced operator new and delete that overwrite memory before it is freed. JSON values and
// std::string copies of a secret cannot be found one by one; this finds them all. Linked by every
// program that handles secrets (CMake target keyturn::cleansing_new, an object library).
// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <new>

namespace {

void* Allocate(size_t size) {
  if (void* memory = ::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}

void* AllocateAligned(size_t size, std::align_val_t alignment) {
  void* memory = nullptr;
  if (::posix_memalign(&memory, static_cast<size_t>(alignment), size == 0 ? 1 : size) == 0) {
    return memory;
  }
  throw std::bad_alloc();
}

// malloc_usable_size rather than the size argument: a container may have written beyond its own
// count.
void Release(void* memory) noexcept {
  if (memory == nullptr) return;
  ::explicit_bzero(memory, ::malloc_usable_size(memory));
  ::free(memory);
}

}  // namespace

void* operator new(size_t size) {
  return Allocate(size);
}

void* operator new[](size_t size) {
  return Allocate(size);
}

void* operator new(size_t size, std::align_val_t alignment) {
  return AllocateAligned(size, alignment);
}

void* operator new[](size_t size, std::align_val_t alignment) {
  return AllocateAligned(size, alignment);
}

void operator delete(void* memory) noexcept {
  Release(memory);
}

void operator delete[](void* memory) noexcept {
  Release(memory);
}

void operator delete(void* memory, size_t) noexcept {
  Release(memory);
}

void operator delete[](void* memory, size_t) noexcept {
  Release(memory);
}

void operator delete(void* memory, std::align_val_t) noexcept {
  Release(memory);
}

void operator delete[](void* memory, std::align_val_t) noexcept {
  Release(memory);
}

void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  Release(memory);
}

void operator delete[](void* memory, size_t, std::align_val_t) noexcept {
  Release(memory);
}
