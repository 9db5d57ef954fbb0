// Resolver: names to socket addresses, in threads that a caller can walk away from.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/base/result.h"
#include "lib/net/call_budget.h"
#include "lib/net/ip_address.h"

namespace keyturn::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  int family() const { return storage.ss_family; }

  // "127.0.0.1:443", "[::1]:443".
  std::string ToString() const;
};

SocketAddress MakeSocketAddress(const IpAddress& address, uint16_t port);

// Blocks for as long as it likes. Called on a thread of its own; must own all it uses.
using LookupFunction = std::function<Result<std::vector<IpAddress>>(const std::string& host)>;

// getaddrinfo(3): /etc/hosts and DNS. ERRORS: UNAVAILABLE, with a reason in words.
LookupFunction SystemLookup();

// A silent name server holds getaddrinfo for 20 s and more, and nothing can interrupt it. So every
// look-up has a detached thread that owns its state: a caller whose time is up leaves it behind.
// Callers that want the same name at the same time share one look-up, which bounds the threads by
// the number of names. THREAD: safe.
class Resolver {
 public:
  explicit Resolver(LookupFunction lookup);

  // Literals need no look-up and no thread.
  // ERRORS: those of CallBudget for `step`; UNAVAILABLE when the name has no address.
  Result<std::vector<SocketAddress>> Resolve(const std::string& host, uint16_t port,
                                             const CallBudget& budget, const Step& step);

 private:
  struct Lookup;

  // The running look-up of `host`, or a new one.
  Result<std::shared_ptr<Lookup>> Join(const std::string& host) KEYTURN_EXCLUDES(mutex_);

  const LookupFunction lookup_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<Lookup>> running_ KEYTURN_GUARDED_BY(mutex_);
};

}  // namespace keyturn::net
