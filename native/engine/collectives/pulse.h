// Whether a process on some machine is still there, whatever it is busy with.
#pragma once

#include <string>

namespace vssl::engine {

// This machine's address on the way to another: what that one can reach it by. Empty where there is no way.
std::string own_address_towards(const std::string& host, int port);

// A socket that listens and is never asked: as long as its process lives, busy or stopped, the kernel takes
// connections for it, and refuses them afterwards.
class Pulse {
 public:
  // At an address of this machine; all of them when it is empty.
  explicit Pulse(const std::string& address);
  ~Pulse();
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;
  // Empty when there is none to be had.
  const std::string& port() const { return port_; }

  // False where the process is gone, or its machine cannot be reached within a second. True where nothing is
  // known.
  static bool beats(const std::string& address, const std::string& port);

 private:
  int fd_ = -1;
  std::string port_;
};

}  // namespace vssl::engine
