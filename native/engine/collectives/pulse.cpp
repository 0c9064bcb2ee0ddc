#include "pulse.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <functional>

#ifndef SOCK_CLOEXEC
#define SOCK_CLOEXEC 0  // macOS has no such flag
#endif

namespace vssl::engine {

namespace {

// use(address) of the first that the names stand for; false when there is none.
bool with_address(const char* host, const std::string& port, int type,
                  const std::function<bool(const addrinfo&)>& use) {
  addrinfo hints{};
  hints.ai_socktype = type;
  hints.ai_flags = host == nullptr ? AI_PASSIVE : 0;
  addrinfo* found = nullptr;
  if (getaddrinfo(host, port.c_str(), &hints, &found) != 0) return false;
  const bool done = use(*found);
  freeaddrinfo(found);
  return done;
}

// The address, or the port, that a socket has been given.
std::string own_name(int fd, bool port) {
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  char host[NI_MAXHOST], service[NI_MAXSERV];
  auto* const address = reinterpret_cast<sockaddr*>(&own);
  if (getsockname(fd, address, &length) != 0 ||
      getnameinfo(address, length, host, sizeof host, service, sizeof service,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "";
  return port ? service : host;
}

}  // namespace

std::string own_address_towards(const std::string& host, int port) {
  std::string own;
  with_address(host.c_str(), std::to_string(port), SOCK_DGRAM, [&](const addrinfo& there) {
    const int fd = socket(there.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, there.ai_addr, there.ai_addrlen) == 0)
      own = own_name(fd, false);  // sends nothing
    if (fd >= 0) close(fd);
    return true;
  });
  return own;
}

Pulse::Pulse(const std::string& address) {
  with_address(address.empty() ? nullptr : address.c_str(), "0", SOCK_STREAM, [&](const addrinfo& here) {
    fd_ = socket(here.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ >= 0 && bind(fd_, here.ai_addr, here.ai_addrlen) == 0 && listen(fd_, SOMAXCONN) == 0)
      port_ = own_name(fd_, true);
    return true;
  });
}

Pulse::~Pulse() {
  if (fd_ >= 0) close(fd_);
}

bool Pulse::beats(const std::string& address, const std::string& port) {
  if (port.empty()) return true;
  bool known = false;
  const bool beats = with_address(address.c_str(), port, SOCK_STREAM, [&](const addrinfo& there) {
    known = true;
    const int fd = socket(there.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return true;
    const timeval patience{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const bool taken = connect(fd, there.ai_addr, there.ai_addrlen) == 0;
    close(fd);
    return taken;
  });
  return beats || !known;
}

}  // namespace vssl::engine
