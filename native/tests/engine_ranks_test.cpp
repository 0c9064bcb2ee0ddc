// Ranks that are processes: what they exchange, that N of them train as one does, and how they end when one
// is lost. Each rank is a child of this process, which itself never begins with libtorch.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <random>
#include <sstream>
#include <thread>

#include "../engine/collectives/gradient_sum.h"
#include "../engine/collectives/process_ranks.h"
#include "../engine/errors.h"
#include "../engine/parts.h"
#include "engine_cases.h"

namespace vssl::engine::testing {
namespace {

// Below the ports that a system gives to outgoing connections, one of which may take its own before rank 0
// listens.
int free_port() {
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<int> ports(20000, 31999);
  for (;;) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(ports(random)));
    const bool is_free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    if (is_free) return ntohs(address.sin_port);
  }
}

Object place(int64_t rank, int64_t size, int port, double timeout = 60) {
  return Object{{"rank", rank}, {"size", size},       {"address", "127.0.0.1"},
                {"port", port}, {"channel", "tests"}, {"timeout", timeout}};
}

using Report = std::vector<double>;

void write_all(int fd, const void* data, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t n = write(fd, static_cast<const char*>(data) + done, bytes - done);
    if (n <= 0) _exit(9);
    done += static_cast<size_t>(n);
  }
}

struct Child {
  pid_t pid;
  int fd;
  Report report{};
  std::string said{};  // the message of its error
  std::string told{};  // what its body left in `telling`
  int status = 0;
};

std::string telling;  // of a child: names to the numbers of its report, one a line

// What `body` reports in a process of its own, or the error that it throws.
Child begin(const std::function<Report()>& body) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  std::fflush(stdout);
  const pid_t pid = fork();
  if (pid > 0) {
    close(ends[1]);
    return {pid, ends[0]};
  }
  close(ends[0]);
  Report report;
  std::string said;
  try {
    std::signal(SIGPIPE, SIG_IGN);  // as in Node: a connection that is gone is an error of the call
    set_threads(1);
    report = body();
  } catch (const Error& error) {
    said = error.code + " " + error.what();
  } catch (const std::exception& error) {
    said = error.what();
  }
  const size_t sizes[3] = {report.size(), said.size(), telling.size()};
  write_all(ends[1], sizes, sizeof sizes);
  write_all(ends[1], report.data(), report.size() * sizeof(double));
  write_all(ends[1], said.data(), said.size());
  write_all(ends[1], telling.data(), telling.size());
  _exit(said.empty() ? 0 : 1);
}

bool read_all(int fd, void* data, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t n = read(fd, static_cast<char*>(data) + done, bytes - done);
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

void end(Child& child) {
  size_t sizes[3] = {0, 0, 0};
  if (read_all(child.fd, sizes, sizeof sizes)) {
    child.report.resize(sizes[0]);
    child.said.resize(sizes[1]);
    child.told.resize(sizes[2]);
    read_all(child.fd, child.report.data(), sizes[0] * sizeof(double));
    read_all(child.fd, child.said.data(), sizes[1]);
    read_all(child.fd, child.told.data(), sizes[2]);
  }
  close(child.fd);
  waitpid(child.pid, &child.status, 0);
}

// body(its place) on every rank; the reports in rank order.
std::vector<Child> on_ranks(int64_t size, const std::function<Report(const Object&)>& body,
                            double timeout = 60) {
  const int port = free_port();
  std::vector<Child> children;
  for (int64_t r = 0; r < size; ++r)
    children.push_back(begin([&, r] { return body(place(r, size, port, timeout)); }));
  for (Child& child : children) end(child);
  return children;
}

std::vector<Report> reports_of(int64_t size, const std::string& what,
                               const std::function<Report(const Object&)>& body) {
  std::vector<Report> reports;
  for (const Child& child : on_ranks(size, body)) {
    check(child.said.empty(), what + ": " + child.said);
    reports.push_back(child.report);
  }
  return reports;
}

void test_exchange() {
  for (const int64_t size : {2, 3, 4}) {
    const auto reports = reports_of(size, "exchange", [](const Object& where) {
      ProcessRanks ranks{Value(where)};
      const auto r = static_cast<double>(ranks.rank());
      Report report;
      const Tensor all = ranks.all_gather(at::full({2, 3}, r, at::kFloat));
      for (int64_t i = 0; i < all.size(0); ++i) report.push_back(all[i][0].item<double>());
      Tensor sum = at::full({5}, 0.1 * (r + 1), at::kDouble);
      ranks.all_reduce(sum);
      report.push_back(sum[4].item<double>());
      Tensor strided = at::full({4, 6}, r, at::kFloat).t();  // not as it lies in memory
      ranks.all_reduce(strided);
      report.push_back(strided[5][3].item<double>());
      Tensor first = at::full({}, 7 + r, at::kLong);
      ranks.broadcast(first);
      report.push_back(first.item<double>());
      const auto texts = ranks.exchange(std::string(static_cast<size_t>(r) * 1000, 'x'));
      for (const auto& text : texts) report.push_back(static_cast<double>(text.size()));
      return report;
    });
    for (const Report& report : reports) {
      Report expected;
      for (int64_t r = 0; r < size; ++r) expected.insert(expected.end(), 2, static_cast<double>(r));
      expected.push_back(reports[0][static_cast<size_t>(2 * size)]);
      check_at_most(std::fabs(expected.back() - 0.05 * static_cast<double>(size * (size + 1))), 1e-12,
                    "a sum");
      expected.push_back(static_cast<double>(size * (size - 1) / 2));
      expected.push_back(7);
      for (int64_t r = 0; r < size; ++r) expected.push_back(1000.0 * static_cast<double>(r));
      check(report == expected, std::to_string(size) + " ranks have the same, bit for bit");
    }
  }
}

void test_gradient_sum() {
  const auto reports = reports_of(2, "gradients", [](const Object& where) {
    ProcessRanks ranks{Value(where)};
    const auto parameter = [](at::IntArrayRef sizes) { return at::zeros(sizes).requires_grad_(); };
    // One in channels-last layout, one that rank 1 lacks, one that no rank has, one larger than a bucket.
    Tensor last = at::zeros({2, 3, 2, 2, 2}).contiguous(at::MemoryFormat::ChannelsLast3d).requires_grad_();
    Tensor some = parameter({4}), none = parameter({3}), large = parameter({int64_t{26} << 18});
    last.mutable_grad() =
        at::arange(48, at::kFloat).view({2, 3, 2, 2, 2}) * static_cast<double>(ranks.rank() + 1);
    if (ranks.rank() == 0) some.mutable_grad() = at::ones({4});
    large.mutable_grad() = at::ones_like(large);
    sum_gradients({last, some, none, large}, ranks);
    const Tensor expected = at::arange(48, at::kFloat).view({2, 3, 2, 2, 2}) * 3;
    return Report{at::equal(last.grad(), expected) ? 1.0 : 0.0,
                  last.grad().strides() == last.strides() ? 1.0 : 0.0,
                  at::equal(some.grad(), at::ones({4})) ? 1.0 : 0.0, none.grad().defined() ? 0.0 : 1.0,
                  large.grad().eq(2).all().item<bool>() ? 1.0 : 0.0};
  });
  for (const Report& report : reports) check(report == Report(5, 1.0), "gradients are added up");
}

// Of `count` samples from `first` on.
video::ViewBuffer rows_of(const video::ViewBuffer& whole, int64_t first, int64_t count) {
  video::ViewBuffer part = whole;
  if (!whole.rows.empty()) {
    const auto at = [&](int64_t sample) {
      return std::lower_bound(whole.rows.begin(), whole.rows.end(), sample) - whole.rows.begin();
    };
    part.rows.assign(whole.rows.begin() + at(first), whole.rows.begin() + at(first + count));
    for (int64_t& sample : part.rows) sample -= first;
    first = at(first);
    count = static_cast<int64_t>(part.rows.size());
  }
  part.shape[0] = count;
  part.data = nullptr;
  part.allocate();
  std::memcpy(part.data.get(), whole.row(first), static_cast<size_t>(part.bytes()));
  return part;
}

video::Batch part_of(const video::Batch& whole, int64_t rank, int64_t size) {
  video::Batch part;
  part.samples = whole.samples / size;
  for (const auto& view : whole.views) {
    const video::ViewBuffer own = rows_of(view, rank * part.samples, part.samples);
    if (own.shape[0] > 0) part.views.push_back(own);
  }
  for (const auto& side : whole.side) part.side.push_back(rows_of(side, rank * part.samples, part.samples));
  return part;
}

Value spec_of(const Case& c, const Object& where) {
  Object spec{{"method", c.method},
              {"options", c.options},
              {"syncNorm", c.sync},
              {"optimizer", Object{{"name", "sgd"}, {"momentum", 0.9}}}};
  if (!where.empty()) spec["ranks"] = merged(where, {{"channel", "session"}});
  return session_spec(spec);
}

// What each rank has of its own where BatchNorm is not synchronised; it has no part in training.
bool is_statistic(const std::string& name) {
  return name.find("running_") != std::string::npos || name.find("num_batches") != std::string::npos;
}

// Model tensors of a session in one row.
Report weights_of(Session& session, bool statistics) {
  Report all;
  for (const NamedTensor& tensor : session.export_state()) {
    if (tensor.name.rfind("model/", 0) != 0 || tensor.dtype != "F32") continue;
    if (!statistics && is_statistic(tensor.name)) continue;
    const auto* values = reinterpret_cast<const float*>(tensor.data.data());
    all.insert(all.end(), values, values + tensor.data.size() / sizeof(float));
  }
  return all;
}

uint64_t digest_of(Session& session, bool statistics) {
  uint64_t hash = 1469598103934665603u;
  for (const NamedTensor& tensor : session.export_state())
    for (const uint8_t byte : !statistics && is_statistic(tensor.name) ? std::vector<uint8_t>{} : tensor.data)
      hash = (hash ^ byte) * 1099511628211u;
  return hash >> 12;  // a double holds it
}

double step(Session& session, const Case& c, const Object& where, int64_t i) {
  const int64_t rank = where.empty() ? 0 : where.at("rank").as_int("rank");
  const int64_t size = where.empty() ? 1 : where.at("size").as_int("size");
  const auto result = session.step(part_of(batch_of(c, 10 + i), rank, size), numbers_of(c, i, 0.02));
  if (!result.finite) throw Error("ERR_VSSL_TEST", "not finite");
  return result.losses.at("loss");
}

// [the first loss, all gradients in one row]: what SGD's momentum is after one step. Their names and sizes
// are told.
Report first_step(const Case& c, const Object& where) {
  Session session(spec_of(c, where));
  session.share_state();
  Report report{step(session, c, where, 0)};
  for (const NamedTensor& tensor : session.export_state()) {
    if (tensor.name.rfind("optim/", 0) != 0) continue;
    const std::vector<float> gradient = floats_of(tensor);
    report.insert(report.end(), gradient.begin(), gradient.end());
    telling += tensor.name + "\n" + std::to_string(gradient.size()) + "\n";
  }
  return report;
}

// [digest at the end, weights at the end].
Report trained(const Case& c, const Object& where, size_t nudged = 0) {
  Session session(spec_of(c, where));
  if (nudged > 0) nudge(session, nudged);
  session.share_state();
  for (int64_t i = 0; i < 20; ++i) step(session, c, where, i);
  const bool statistics = !c.options.count("normGroups");  // BatchNorm saw the batch of all
  Report report = weights_of(session, statistics);
  report.insert(report.begin(), static_cast<double>(digest_of(session, statistics)));
  return report;
}

// Of the numbers [begin, end) of two reports.
double distance(const Report& a, const Report& b, size_t begin, size_t end) {
  double sum = 0;
  for (size_t i = begin; i < end; ++i) sum += (a.at(i) - b.at(i)) * (a.at(i) - b.at(i));
  return std::sqrt(sum);
}

Child alone(const std::function<Report()>& body) {
  Child child = begin(body);
  end(child);
  check(child.said.empty(), child.said);
  return child;
}

// A first step against that of one process: each gradient to 1e-4 of its norm. A bias before BatchNorm, which
// takes every mean away, has a gradient of rounding alone, and so has a bias that a softmax takes away. What
// is below kNothing of all gradients together counts as such, and has to stay such.
void check_first_step(const std::string& what, const Report& found, const Child& truth) {
  constexpr double kNothing = 1e-7;
  const Report& one = truth.report;
  check(!one.empty() && found.size() == one.size(), what + ": all gradients");
  if (one.empty() || found.size() != one.size()) return;
  check_at_most(std::fabs(found[0] - one[0]), 1e-5, what + ": the first loss");
  const Report zeros(one.size());
  const double all = distance(one, zeros, 1, one.size());
  std::istringstream parameters(truth.told);
  size_t first = 1, count = 0;
  for (std::string name; parameters >> name >> count; first += count) {
    const double off = distance(found, one, first, first + count);
    const double norm = distance(one, zeros, first, first + count);
    const bool is_nothing = norm < kNothing * all;
    check_at_most(off / (is_nothing ? all : norm), is_nothing ? kNothing : 1e-4, what + ": " + name);
  }
  check(first == one.size(), what + ": the gradients of all parameters");
}

// The distance after many steps is held against the largest of some runs of one rank that began one rounding
// apart: how far one of them gets is a matter of luck.
void test_as_one() {
  for (const Case& c : cases()) {
    const Child one = alone([&] { return first_step(c, {}); });
    const Report long_one = alone([&] { return trained(c, {}); }).report;
    double rounding = 0;
    for (const size_t nudged : {1, 2, 3})
      rounding = std::max(rounding, distance(long_one, alone([&] { return trained(c, {}, nudged); }).report,
                                             1, long_one.size()));
    for (const int64_t size : {2, 4}) {
      const std::string what = c.name + " on " + std::to_string(size) + " ranks";
      const auto train_all = [&] {
        return reports_of(size, what, [&](const Object& where) { return trained(c, where); });
      };
      const auto first = reports_of(size, what, [&](const Object& where) { return first_step(c, where); });
      check_first_step(what, first[0], one);
      const auto longer = train_all();
      check_at_most(distance(longer[0], long_one, 1, long_one.size()) / rounding, 4,
                    what + ": 20 steps, against a rounding");
      if (size > 2) continue;
      for (const Report& report : longer) check(report == longer[0], what + ": the same bits on all ranks");
      check(train_all() == longer, what + ": the same bytes in two runs");
    }
  }
}

// Ranks of several threads, which need not be as many: batches go through networks in parts.
void test_threads() {
  for (const Case& c : cases()) {
    if (c.name != c.method) continue;
    const Child one = alone([&] { return first_step(c, {}); });
    for (const int first : {1, 2}) {
      const std::string what = c.name + " on ranks of " + std::to_string(first) + " and 2 threads";
      const auto with_threads = [&](const std::function<Report(const Object&)>& body) {
        return reports_of(2, what, [&](const Object& where) {
          set_threads(where.at("rank").as_int("rank") == 0 ? first : 2);
          return body(where);
        });
      };
      const auto steps = with_threads([&](const Object& where) { return first_step(c, where); });
      for (const Report& report : steps) check_first_step(what, report, one);
      const auto longer = with_threads([&](const Object& where) { return trained(c, where); });
      check(longer[1] == longer[0], what + ": the same bits on both ranks");
      const auto again = with_threads([&](const Object& where) { return trained(c, where); });
      check(again == longer, what + ": the same bytes in two runs");
    }
  }
}

// A network that only sums over the batch, on clips of this rank in parts.
Tensor sum_in_parts(ProcessRanks& ranks, const std::function<void(const Pass&)>& on_the_way) {
  const at::NoGradGuard no_grad;
  const Weights weights({at::kCPU, true});
  Pass pass;
  pass.ranks = &ranks;
  const Tensor clips = at::ones({6, 4, 4, 4, 3}).permute({0, 4, 1, 2, 3});
  return in_parts(clips, pass, weights, [&](const Tensor& part, const Pass& own) {
    Tensor sum = part.sum({0, 2, 3, 4}).to(at::kDouble);
    own.ranks->all_reduce(sum);
    on_the_way(own);
    own.ranks->all_reduce(sum);
    return sum.expand({part.size(0), 3});
  });
}

void test_parts() {
  const auto reports = reports_of(2, "parts", [](const Object& where) {
    ProcessRanks ranks{Value(where)};
    set_threads(2 + static_cast<int>(ranks.rank()));
    const double before = ranks.exchanged().bytes;
    std::atomic<int> parts{0};
    const Tensor rows = sum_in_parts(ranks, [&](const Pass&) { ++parts; });
    return Report{static_cast<double>(parts), rows[0][0].item<double>(), rows[5][2].item<double>(),
                  ranks.exchanged().bytes - before};
  });
  // All of 12 clips of 64 ones comes to each of 5 parts, whose sum that is again. A rank sends two sums of
  // three channels, however many threads it has.
  const double sum = 5 * 12 * 64, bytes = 2 * 3 * sizeof(double);
  check(reports[0] == Report{2, sum, sum, bytes}, "two parts of the first rank");
  check(reports[1] == Report{3, sum, sum, bytes}, "three parts of the second rank");
}

// A part that fails takes its rank with it, and its rank the others, which wait in an exchange of their own
// parts.
void test_failing_part() {
  const auto start = std::chrono::steady_clock::now();
  const auto children = on_ranks(2, [](const Object& where) {
    ProcessRanks ranks{Value(where)};
    set_threads(2);
    try {
      sum_in_parts(ranks, [&](const Pass& own) {
        if (ranks.rank() == 0 && !own.ranks->leads()) throw Error("ERR_VSSL_TEST", "its second part");
      });
    } catch (const Error& error) {
      if (error.code == "ERR_VSSL_TEST") ranks.leave(error.what());
      throw;
    }
    return Report{};
  });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  check(children[0].said == "ERR_VSSL_TEST its second part", "the rank of it says: " + children[0].said);
  const std::string& said = children[1].said;
  check(said.find("ERR_VSSL_RANKS rank 0 (") == 0 && said.find("ended: its second part") != std::string::npos,
        "the other rank says: " + said);
  check_at_most(took.count(), 10, "a failing part: the time until both end");
}

// How long the others need to end, and what they say.
void check_fault(const std::string& what, int signal, double timeout, double longest,
                 const std::string& part) {
  const int port = free_port();
  std::vector<Child> children;
  for (int64_t r = 0; r < 3; ++r)
    children.push_back(begin([&, r] {
      ProcessRanks ranks{Value(place(r, 3, port, timeout))};
      Tensor values = at::ones({1000});
      for (int i = 0;; ++i) {
        ranks.all_reduce(values);
        if (i == 20 && r == 1 && signal == 0) {
          ranks.leave("its disk is full");
          throw Error("ERR_VSSL_TEST", "its disk is full");
        }
        if (i == 20 && r == 1) raise(signal);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
      return Report{};
    }));
  const auto start = std::chrono::steady_clock::now();
  end(children[0]);
  end(children[2]);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  kill(children[1].pid, SIGKILL);
  end(children[1]);
  check_at_most(took.count(), longest, what + ": the time until the others end");
  for (const int r : {0, 2}) {
    const std::string& said = children[static_cast<size_t>(r)].said;
    check(said.find("ERR_VSSL_RANKS rank 1 (") == 0 && said.find(part) != std::string::npos,
          what + ": rank " + std::to_string(r) + " says: " + said);
  }
}

void test_faults() {
  check_fault("killed", SIGKILL, 60, 10, "is gone without a word");
  check_fault("stopped", SIGSTOP, 3, 15, "did not answer for 3 s");
  check_fault("left with a reason", 0, 60, 10, "ended: its disk is full");
}

// All fail alike: none waits for another that has left as well, however long that one takes to end.
void test_leaving_together() {
  const auto reports = reports_of(2, "leaving together", [](const Object& where) {
    ProcessRanks ranks{Value(where)};
    const auto start = std::chrono::steady_clock::now();
    ranks.leave("not finite");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::this_thread::sleep_for(std::chrono::seconds(ranks.rank() == 0 ? 0 : 2));
    return Report{took.count()};
  });
  check_at_most(reports[0].at(0), 1, "leaving together: the time that the first rank waits");
}

void test_meeting() {
  const int port = free_port();
  Child early = begin([&] {
    ProcessRanks ranks{Value(place(0, 2, port, 2))};
    return Report{};
  });
  end(early);
  check(early.said.find("rank 1 of 2 did not come within 2 s") != std::string::npos,
        "nobody came: " + early.said);
  Child lost = begin([&] {
    ProcessRanks ranks{Value(place(1, 2, port, 2))};
    return Report{};
  });
  end(lost);
  check(lost.said.find("did not reach rank 0 at 127.0.0.1:" + std::to_string(port)) != std::string::npos,
        "no rank 0: " + lost.said);
  const int taken = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  bind(taken, reinterpret_cast<sockaddr*>(&address), sizeof address);
  listen(taken, 1);
  Child second = begin([&] {
    ProcessRanks ranks{Value(place(0, 2, port, 2))};
    return Report{};
  });
  end(second);
  close(taken);
  check(second.said.find("is in use") != std::string::npos, "a port in use: " + second.said);
}

void test_uneven() {
  const auto children = on_ranks(2, [](const Object& where) {
    const Case c{"cvrl", "cvrl", {}};
    Session session(spec_of(c, where));
    const int64_t rank = where.at("rank").as_int("rank");
    session.step(part_of(batch_of(c, 1), 0, rank == 0 ? 2 : 4), numbers_of(c, 0, 0.1));
    return Report{};
  });
  for (const Child& child : children)
    check(child.said.find("as many samples each") != std::string::npos, "uneven parts: " + child.said);
}

}  // namespace
}  // namespace vssl::engine::testing

// With an argument the faults alone: they are a matter of moments, and want many tries.
int main(int count, char**) {
  using namespace vssl::engine::testing;
  if (count > 1) {
    test_faults();
    return vssl::finish();
  }
  test_exchange();
  test_gradient_sum();
  test_meeting();
  test_faults();
  test_leaving_together();
  test_uneven();
  test_parts();
  test_failing_part();
  test_threads();
  test_as_one();
  return vssl::finish();
}
