// CollectingStream: the stream buffer through which cpprestsdk writes a body into a collector.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <stdexcept>
#include <utility>

#include <cpprest/astreambuf.h>

#include "lib/net_cpprest/response_collector.h"

namespace keyturn::net {

// Write-only: what reads or seeks reports the end. A refused part ends the exchange.
class CollectingStream final
    : public concurrency::streams::details::streambuf_state_manager<uint8_t> {
  using Base = concurrency::streams::details::streambuf_state_manager<uint8_t>;

 public:
  using typename Base::int_type;
  using typename Base::off_type;
  using typename Base::pos_type;
  using typename Base::traits;

  explicit CollectingStream(std::shared_ptr<ResponseCollector> collector)
      : Base(std::ios_base::out), collector_(std::move(collector)) {}

  bool can_seek() const override { return false; }

  bool has_size() const override { return false; }

  size_t buffer_size(std::ios_base::openmode) const override { return 0; }

  void set_buffer_size(size_t, std::ios_base::openmode) override {}

  size_t in_avail() const override { return 0; }

  pos_type getpos(std::ios_base::openmode) const override { return traits::eof(); }

  pos_type seekpos(pos_type, std::ios_base::openmode) override { return traits::eof(); }

  pos_type seekoff(off_type, std::ios_base::seekdir, std::ios_base::openmode) override {
    return traits::eof();
  }

  bool acquire(uint8_t*&, size_t&) override { return false; }

  void release(uint8_t*, size_t) override {}

 private:
  static pplx::task<int_type> End() { return pplx::task_from_result<int_type>(traits::eof()); }

  pplx::task<size_t> _putn(const uint8_t* data, size_t size) override {
    const pplx::task_completion_event<size_t> later;
    const std::string_view part(reinterpret_cast<const char*>(data), size);
    switch (collector_->OnBody(part, [later, size] { later.set(size); })) {
      case ResponseCollector::Taken::kMore:
        return pplx::task_from_result(size);
      case ResponseCollector::Taken::kLater:
        return pplx::create_task(later);
      case ResponseCollector::Taken::kRefused:
        break;
    }
    return pplx::task_from_exception<size_t>(std::runtime_error("the body is not wanted"));
  }

  pplx::task<size_t> _putn(const uint8_t* data, size_t size, bool) override {
    return _putn(data, size);
  }

  pplx::task<int_type> _putc(uint8_t byte) override {
    return _putn(&byte, 1).then([byte](size_t) { return static_cast<int_type>(byte); });
  }

  pplx::task<int_type> _bumpc() override { return End(); }

  int_type _sbumpc() override { return traits::eof(); }

  pplx::task<int_type> _getc() override { return End(); }

  int_type _sgetc() override { return traits::eof(); }

  pplx::task<int_type> _nextc() override { return End(); }

  pplx::task<int_type> _ungetc() override { return End(); }

  pplx::task<size_t> _getn(uint8_t*, size_t) override { return pplx::task_from_result<size_t>(0); }

  size_t _scopy(uint8_t*, size_t) override { return 0; }

  pplx::task<bool> _sync() override { return pplx::task_from_result(true); }

  uint8_t* _alloc(size_t) override { return nullptr; }

  void _commit(size_t) override {}

  const std::shared_ptr<ResponseCollector> collector_;
};

}  // namespace keyturn::net
