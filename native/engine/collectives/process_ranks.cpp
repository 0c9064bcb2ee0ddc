#include "process_ranks.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <thread>

#define USE_DISTRIBUTED
#define USE_C10D_GLOO
#include <c10/util/Logging.h>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "../device/groups.h"
#include "../errors.h"
#include "pulse.h"

namespace vssl::engine {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLook{500};  // from one look at whether somebody has left to the next
constexpr milliseconds kPoll{100};
constexpr std::chrono::microseconds kDevicePoll{50};
constexpr milliseconds kGathering{3000};  // for all that are left to say so
constexpr milliseconds kStoreAnswer{3000};
const char* const kHeard = "another rank has left";  // who met the fault itself is about to say why

[[noreturn]] void throw_ranks(const std::string& message) { throw Error("ERR_VSSL_RANKS", message); }

// c10d's texts end in the C++ functions that were called.
std::string first_line(const std::exception& error) {
  const auto* known = dynamic_cast<const c10::Error*>(&error);
  const std::string text = known ? known->what_without_backtrace() : error.what();
  return text.substr(0, text.find('\n'));
}

std::string host_name() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

std::vector<uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }
std::string text_of(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

struct ProcessRanks::Impl {
  int64_t rank, size;
  std::string address, channel;
  int port;
  bool keeps_store;
  double timeout;
  c10::intrusive_ptr<c10d::TCPStore> tcp;
  c10::intrusive_ptr<c10d::Store> run;  // of all channels of this run
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group;
  std::map<at::DeviceType, c10::intrusive_ptr<c10d::Backend>> device_groups;  // null: none
  struct Peer {
    std::string name;  // "rank 1 (host, process 123)"
    std::string address, pulse;
  };
  std::string own_address;
  std::unique_ptr<Pulse> pulse;
  std::vector<Peer> peers;
  Exchanged spent;

  explicit Impl(const Value& spec) {
    FLAGS_caffe2_log_level = 3;  // c10d's log says in a hundred lines what our errors say in one
    check_keys(spec, {"rank", "size", "address", "port", "served", "run", "channel", "timeout"}, "ranks");
    size = int_in(spec, "size", 1, 1, 1 << 20);
    rank = int_in(spec, "rank", 0, 0, size - 1);
    address = spec["address"].as_string("ranks.address");
    port = static_cast<int>(int_in(spec, "port", 0, 1, 65535));
    channel = spec["channel"].as_string("ranks.channel");
    keeps_store = rank == 0 && !spec.get_bool("served", false);
    timeout = number_in(spec, "timeout", 600, 0.1, 1e7);
    for (int64_t r = 0; r < size; ++r) peers.push_back({"rank " + std::to_string(r), "", ""});
    own_address = own_address_towards(address, port);
    pulse = std::make_unique<Pulse>(own_address);
    open_store(spec.get_string("run", ""));
    open_group();
    introduce();
  }

  milliseconds limit() const { return milliseconds(static_cast<int64_t>(timeout * 1000)); }

  void open_store(const std::string& run_name) {
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(port);
    options.isServer = keeps_store;
    options.waitWorkers = false;
    options.multiTenant = true;  // one server for the channels of this process
    options.timeout = limit();
    options.useLibUV = false;  // Node has a libuv of its own
    const std::string where = address + ":" + std::to_string(port);
    try {
      tcp = c10::make_intrusive<c10d::TCPStore>(address, options);
    } catch (const std::exception& error) {
      const std::string why = first_line(error);
      const bool taken =
          why.find("EADDRINUSE") != std::string::npos || why.find("already in use") != std::string::npos;
      throw_ranks(taken ? "port " + std::to_string(port) +
                              " is in use: another run, or another program, has it; give "
                              "these ranks another port (MASTER_PORT)"
                  : keeps_store ? "rank 0 cannot listen on " + where + ": " + why
                                : peers[static_cast<size_t>(rank)].name + " did not reach rank 0 at " +
                                      where + " within " + seconds() +
                                      ": is it running, are MASTER_ADDR and MASTER_PORT its own, and does a "
                                      "firewall let them through? (" +
                                      why + ")");
    }
    run = c10::make_intrusive<c10d::PrefixStore>("vssl/" + run_name, tcp);
  }

  std::string seconds() const {
    const std::string text = std::to_string(timeout);
    return text.substr(0, text.find_last_not_of("0") + (text[text.find_last_not_of("0")] == '.' ? 0 : 1)) +
           " s";
  }

  void open_group() {
    run->set(key("come", rank), bytes_of("1"));
    auto options = c10d::ProcessGroupGloo::Options::create(limit());
    try {
      options->devices.push_back(device());
      group = c10::make_intrusive<c10d::ProcessGroupGloo>(
          c10::make_intrusive<c10d::PrefixStore>(channel, run), static_cast<int>(rank),
          static_cast<int>(size), options);
    } catch (const std::exception& error) {
      std::string missing;
      for (int64_t r = 0; r < size; ++r)
        if (!has(key("come", r))) missing += (missing.empty() ? "" : ", ") + std::to_string(r);
      throw_ranks(missing.empty() ? peers[static_cast<size_t>(rank)].name +
                                        " could not connect to the other ranks: " + first_line(error) +
                                        "; GLOO_SOCKET_IFNAME names the network interface to use"
                                  : "rank " + missing + " of " + std::to_string(size) +
                                        " did not come within " + seconds());
    }
  }

  std::shared_ptr<::gloo::transport::Device> device() const {
    using Gloo = c10d::ProcessGroupGloo;
    if (const char* name = std::getenv("GLOO_SOCKET_IFNAME"); name != nullptr && *name != 0)
      return Gloo::createDeviceForInterface(name);
    return own_address.empty() ? Gloo::createDefaultDevice() : Gloo::createDeviceForHostname(own_address);
  }

  void introduce() {
    const std::string name = host_name() + ", process " + std::to_string(getpid());
    const std::vector<std::string> all = exchange(name + "\n" + own_address + "\n" + pulse->port());
    for (size_t r = 0; r < all.size(); ++r) {
      const size_t first = all[r].find('\n'), second = all[r].find('\n', first + 1);
      peers[r].name += " (" + all[r].substr(0, first) + ")";
      peers[r].address = all[r].substr(first + 1, second - first - 1);
      peers[r].pulse = all[r].substr(second + 1);
    }
  }

  std::string key(const std::string& what, int64_t r) const {
    return channel + "/" + what + "/" + std::to_string(r);
  }

  // False where the store does not answer, too.
  bool has(const std::string& name) const {
    try {
      return run->check({name});
    } catch (const std::exception&) {
      return false;
    }
  }

  // Waits for what the ranks do together.
  void finish(const c10::intrusive_ptr<c10d::Work>& work) {
    for (;;) {
      try {
        work->wait(kLook);
        return;
      } catch (const std::exception& error) {
        if (work->isCompleted()) lost(first_line(error));
      }
      if (has("fault")) lost(kHeard);
    }
  }

  // A device's exchange, which cannot be waited for with a limit: it is looked at.
  void finish_on_device(c10d::Work& work) {
    const auto deadline = Clock::now() + limit();
    auto next_look = Clock::now() + kLook;
    try {
      while (!work.isCompleted()) {
        std::this_thread::sleep_for(kDevicePoll);
        if (Clock::now() > deadline) throw std::runtime_error("timed out");
        if (Clock::now() < next_look) continue;
        if (has("fault")) lost(kHeard);
        next_look = Clock::now() + kLook;
      }
      work.wait();  // what the stream does next comes after it
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      lost(first_line(error));
    }
  }

  // Throws what all ranks that are left say of who is missing: the first to find out writes it down.
  [[noreturn]] void lost(const std::string& why) {
    std::string verdict;
    try {
      tcp->setTimeout(kStoreAnswer);
      run->set("fault", bytes_of("1"));
      run->set(mark("here", rank), bytes_of("1"));
      if (why == kHeard) await_verdict();
      verdict = run->check({"verdict"}) ? text_of(run->get("verdict")) : settle(look_around(why));
      run->set(mark("seen", rank), bytes_of("1"));
      if (keeps_store) linger();
    } catch (const std::exception&) {
      const Peer& first = peers[0];
      throw_ranks(first.name + (Pulse::beats(first.address, first.pulse) ? not_answering() : gone()));
    }
    throw_ranks(verdict);
  }

  void await_verdict() const {
    const auto deadline = Clock::now() + 2 * kGathering;
    while (!run->check({"verdict"}) && Clock::now() < deadline) std::this_thread::sleep_for(kPoll);
  }

  // The verdict that stands, which is this one if there was none.
  std::string settle(const std::string& verdict) const {
    return text_of(run->compareSet("verdict", {}, bytes_of(verdict)));
  }

  const Peer& peer(int64_t r) const { return peers[static_cast<size_t>(r)]; }
  static std::string mark(const std::string& what, int64_t r) { return what + "/" + std::to_string(r); }
  std::string not_answering() const { return " did not answer for " + seconds() + ": stopped, or held up"; }
  static std::string gone() {
    return " is gone without a word: killed, out of memory, or its machine is down";
  }

  template <typename IsMissing>
  std::string names_of_missing(IsMissing&& is_missing) const {
    std::string names;
    for (int64_t r = 0; r < size; ++r)
      if (r != rank && is_missing(r)) names += (names.empty() ? "" : ", ") + peer(r).name;
    return names;
  }

  bool is_gone(int64_t r) const { return !Pulse::beats(peer(r).address, peer(r).pulse); }

  // Who is missing, and since `why`: what the exchange failed with.
  std::string look_around(const std::string& why) const {
    const bool late = why.find("imed out") != std::string::npos || why.find("imeout") != std::string::npos;
    std::string silent;
    const auto deadline = Clock::now() + kGathering;
    do {
      const std::string missing = names_of_missing([&](int64_t r) { return is_gone(r); });
      if (!missing.empty()) return missing + gone();
      if (run->check({"verdict"})) return "";
      silent = names_of_missing([&](int64_t r) { return !run->check({mark("here", r)}); });
      std::this_thread::sleep_for(kPoll);
    } while (!silent.empty() && Clock::now() < deadline);
    if (late && !silent.empty()) return silent + not_answering();
    return "the connection between the ranks failed: " + why;
  }

  // The store goes with this process: until those that are there have looked.
  void linger() const {
    const auto deadline = Clock::now() + kGathering;
    const auto waits = [&](int64_t r) { return !has(mark("seen", r)) && !is_gone(r); };
    while (!names_of_missing(waits).empty() && Clock::now() < deadline) std::this_thread::sleep_for(kPoll);
  }

  // Gloo carries host memory. Tensors of other devices go through it, unless these have a group of their own.
  Tensor to_send(const Tensor& values) {
    const Tensor own = values.detach().contiguous();
    if (own.is_cpu() || device_group(own.device().type())) return own;
    return own.to(at::kCPU);
  }
  c10d::Backend& group_of(const Tensor& sent) {
    return sent.is_cpu() ? static_cast<c10d::Backend&>(*group) : *device_group(sent.device().type());
  }
  const c10::intrusive_ptr<c10d::Backend>& device_group(at::DeviceType type) {
    const auto found = device_groups.find(type);
    if (found != device_groups.end()) return found->second;
    const auto store = c10::make_intrusive<c10d::PrefixStore>(channel + "/device", run);
    return device_groups[type] =
               open_device_group(type, store, static_cast<int>(rank), static_cast<int>(size), limit());
  }

  std::vector<Tensor> gather(const Tensor& rows) {
    Tensor own = rows.detach().contiguous();
    std::vector<std::vector<Tensor>> all(1);
    for (int64_t r = 0; r < size; ++r) all[0].push_back(at::empty_like(own));
    std::vector<Tensor> mine{own};
    run_together(static_cast<double>(own.nbytes()) * static_cast<double>(size - 1), own,
                 [&](c10d::Backend& group) { return group.allgather(all, mine); });
    return std::move(all[0]);
  }

  // `bytes`: that a rank sends. `sent` says whose memory it is.
  void run_together(double bytes, const Tensor& sent,
                    const std::function<c10::intrusive_ptr<c10d::Work>(c10d::Backend&)>& begin) {
    const auto start = Clock::now();
    c10::intrusive_ptr<c10d::Work> work;
    try {
      work = begin(group_of(sent));
    } catch (const std::exception& error) {
      lost(first_line(error));
    }
    sent.is_cpu() ? finish(work) : finish_on_device(*work);
    spent.seconds += std::chrono::duration<double>(Clock::now() - start).count();
    spent.bytes += bytes;
  }

  std::vector<std::string> exchange(const std::string& text) {
    const auto bytes = at::TensorOptions().dtype(at::kByte);
    const auto own_length = static_cast<int64_t>(text.size());
    std::vector<int64_t> lengths;
    for (const Tensor& length : gather(at::full({1}, own_length, at::kLong)))
      lengths.push_back(length.item<int64_t>());
    const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
    const Tensor own = at::zeros({std::max<int64_t>(longest, 1)}, bytes);
    std::copy(text.begin(), text.end(), own.mutable_data_ptr<uint8_t>());
    const std::vector<Tensor> all = gather(own);
    std::vector<std::string> texts;
    for (size_t r = 0; r < all.size(); ++r) {
      const auto* data = reinterpret_cast<const char*>(all[r].const_data_ptr<uint8_t>());
      texts.emplace_back(data, static_cast<size_t>(lengths[r]));
    }
    return texts;
  }
};

ProcessRanks::ProcessRanks(const Value& spec) : impl_(std::make_unique<Impl>(spec)) {}
ProcessRanks::~ProcessRanks() = default;

int64_t ProcessRanks::rank() const { return impl_->rank; }
int64_t ProcessRanks::size() const { return impl_->size; }
Exchanged ProcessRanks::exchanged() const { return impl_->spent; }

namespace {

void put_back(Tensor& values, const Tensor& sent) {
  if (sent.data_ptr() != values.data_ptr()) values.copy_(sent);
}

}  // namespace

Tensor ProcessRanks::all_gather(const Tensor& rows) {
  return at::cat(impl_->gather(impl_->to_send(rows))).to(rows.device());
}

void ProcessRanks::all_reduce(Tensor& values) {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> own{impl_->to_send(values)};
  // A ring: each part travels around once to be added up and once to be told.
  const double ranks = static_cast<double>(impl_->size);
  impl_->run_together(2 * (ranks - 1) / ranks * static_cast<double>(own[0].nbytes()), own[0],
                      [&](c10d::Backend& group) { return group.allreduce(own); });
  put_back(values, own[0]);
}

void ProcessRanks::broadcast(Tensor& values) {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> own{impl_->to_send(values)};
  impl_->run_together(static_cast<double>(own[0].nbytes()), own[0],
                      [&](c10d::Backend& group) { return group.broadcast(own); });
  put_back(values, own[0]);
}

std::vector<std::string> ProcessRanks::exchange(const std::string& text) { return impl_->exchange(text); }

void ProcessRanks::leave(const std::string& reason) noexcept {
  try {
    impl_->tcp->setTimeout(kStoreAnswer);
    impl_->settle(impl_->peer(impl_->rank).name + " ended: " + reason);
    impl_->run->set("fault", bytes_of("1"));
    impl_->run->set(Impl::mark("seen", impl_->rank), bytes_of("1"));  // it hears no more: nobody waits for it
    if (impl_->keeps_store) impl_->linger();
  } catch (const std::exception&) {  // nobody is there to be told
  }
}

}  // namespace vssl::engine
