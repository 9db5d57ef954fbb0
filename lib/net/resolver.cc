// SPDX-License-Identifier: Apache-2.0
#include "lib/net/resolver.h"

#include <netdb.h>
#include <netinet/in.h>

#include <csignal>
#include <cstring>
#include <optional>
#include <system_error>
#include <thread>

#include "lib/base/strings.h"

namespace keyturn::net {
namespace {

// More concurrent names than this means that a name server is silent and callers keep retrying.
constexpr size_t kMaxRunningLookups = 32;

std::string_view DescribeLookupError(int code) {
  switch (code) {
    case EAI_NONAME:
    case EAI_NODATA:
      return "the name does not exist";
    case EAI_AGAIN:
      return "the name server does not answer or failed for now";
    default:
      return ::gai_strerror(code);
  }
}

IpAddress FromSockaddr(const sockaddr& socket_address) {
  IpAddress address;
  if (socket_address.sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &socket_address, sizeof v6);
    address.is_v6 = true;
    std::memcpy(address.bytes.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
  } else {
    sockaddr_in v4;
    std::memcpy(&v4, &socket_address, sizeof v4);
    std::memcpy(address.bytes.data(), &v4.sin_addr, sizeof v4.sin_addr);
  }
  return address;
}

Result<std::vector<IpAddress>> LookUp(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (code != 0) return UnavailableError(std::string(DescribeLookupError(code)));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  std::vector<IpAddress> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    const int family = entry->ai_family;
    if (family != AF_INET && family != AF_INET6) continue;
    addresses.push_back(FromSockaddr(*entry->ai_addr));
  }
  return addresses;
}

// A left-behind thread must not be the one that takes a signal meant for the program.
void BlockAllSignals() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

std::vector<SocketAddress> WithPort(const std::vector<IpAddress>& addresses, uint16_t port) {
  std::vector<SocketAddress> result;
  result.reserve(addresses.size());
  for (const IpAddress& address : addresses) result.push_back(MakeSocketAddress(address, port));
  return result;
}

}  // namespace

std::string SocketAddress::ToString() const {
  const bool is_v6 = family() == AF_INET6;
  const auto* generic = reinterpret_cast<const sockaddr*>(&storage);
  // The port has the same place in both forms.
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
  const std::string text = FromSockaddr(*generic).ToString();
  const uint16_t port = ntohs(v4->sin_port);
  return is_v6 ? StrCat('[', text, "]:", port) : StrCat(text, ':', port);
}

SocketAddress MakeSocketAddress(const IpAddress& address, uint16_t port) {
  SocketAddress result;
  if (address.is_v6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes.data(), sizeof v6.sin6_addr);
    std::memcpy(&result.storage, &v6, sizeof v6);
    result.size = sizeof v6;
  } else {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes.data(), sizeof v4.sin_addr);
    std::memcpy(&result.storage, &v4, sizeof v4);
    result.size = sizeof v4;
  }
  return result;
}

LookupFunction SystemLookup() {
  return LookUp;
}

// Owned by its thread and by whoever waits; whichever is last frees it.
struct Resolver::Lookup {
  Mutex mutex;
  CondVar changed;
  std::optional<Result<std::vector<IpAddress>>> answer KEYTURN_GUARDED_BY(mutex);

  void Finish(Result<std::vector<IpAddress>> result) KEYTURN_EXCLUDES(mutex) {
    MutexLock lock(mutex);
    answer = std::move(result);
    changed.NotifyAll();
  }

  bool finished() KEYTURN_EXCLUDES(mutex) {
    MutexLock lock(mutex);
    return answer.has_value();
  }

  Result<std::vector<IpAddress>> Wait(const CallBudget& budget, const Step& step)
      KEYTURN_EXCLUDES(mutex) {
    // Made before and destroyed after the lock is held: its callback takes the lock.
    const std::stop_callback wake(budget.stop(), [this] {
      MutexLock lock(mutex);
      changed.NotifyAll();
    });
    MutexLock lock(mutex);
    while (!answer) {
      KEYTURN_RETURN_IF_ERROR(budget.Check(step));
      changed.WaitUntil(mutex, step.until);
    }
    if (!answer->ok()) return AnnotateStatus(answer->status(), step.doing);
    return *answer;
  }
};

Resolver::Resolver(LookupFunction lookup) : lookup_(std::move(lookup)) {}

Result<std::shared_ptr<Resolver::Lookup>> Resolver::Join(const std::string& host) {
  MutexLock lock(mutex_);
  // Finished look-ups are not a cache: /etc/hosts and DNS have their own ideas of freshness.
  std::erase_if(running_, [](const auto& entry) { return entry.second->finished(); });
  if (const auto found = running_.find(host); found != running_.end()) return found->second;
  if (running_.size() >= kMaxRunningLookups) {
    return UnavailableError("too many name look-ups are waiting for their answers");
  }
  auto shared = std::make_shared<Lookup>();
  try {
    std::thread([shared, host, look_up = lookup_] {
      BlockAllSignals();
      shared->Finish(look_up(host));
    }).detach();
  } catch (const std::system_error&) {
    return UnavailableError("no thread could be started for the name look-up");
  }
  running_.emplace(host, shared);
  return shared;
}

Result<std::vector<SocketAddress>> Resolver::Resolve(const std::string& host, uint16_t port,
                                                     const CallBudget& budget, const Step& step) {
  if (const auto literal = ParseIpAddress(host)) {
    return std::vector<SocketAddress>{MakeSocketAddress(*literal, port)};
  }
  const auto lookup = Join(host);
  if (!lookup.ok()) return AnnotateStatus(lookup.status(), step.doing);
  KEYTURN_ASSIGN_OR_RETURN(const auto addresses, (*lookup)->Wait(budget, step));
  if (!addresses.empty()) return WithPort(addresses, port);
  return UnavailableError(StrCat(step.doing, ": the name has no address"));
}

}  // namespace keyturn::net
